"""Rules about a network in Triton: its batches, its backend, its tensors on the way."""

from collections.abc import Iterator

from triptych_server.benchmark.diagnosis.figures import Figures, Network
from triptych_server.benchmark.diagnosis.rules.finding import GOOD, Finding

SMALL_BATCH = 0.7  # of what could be gathered
BATCH_GAIN = 1.05  # times as fast: less is not worth waiting for


def small_batches(figures: Figures) -> Iterator[Finding]:
    """Smaller batches than what is in flight would fill, and that costs something."""
    for network in figures.networks:
        own, seen = network.settings, figures.many.models.get(network.settings.name)
        if seen is None or network.full is None or network.as_served is None:
            continue
        possible = min(own.max_batch_size, figures.many.in_flight * max(network.each, 1))
        gain = _gain(network)
        if seen.mean_batch < SMALL_BATCH * possible and gain > BATCH_GAIN:
            yield Finding(
                "small_batches",
                f"{own.name} ran {seen.mean_batch:.1f} rows at a time where {possible:.0f} could be, and full batches are {gain:.2f} times "
                f"as fast: keep more requests in flight, or try a max_queue_delay_microseconds (now {own.queue_delay_us}) of a part of the "
                f"{seen.compute_ms:.0f} ms that a batch takes: longer costs more than it gains, and a lone request waits that long too.",
            )


def full_batches(figures: Figures) -> Iterator[Finding]:
    """An accelerator whose batches are full while as many again wait."""
    for network in figures.networks:
        own, seen = network.settings, figures.many.models.get(network.settings.name)
        if seen and not network.on_cpu and seen.mean_batch > GOOD * own.max_batch_size and seen.queue_ms > seen.compute_ms:
            yield Finding(
                "full_batches",
                f"The batches of {own.name} are full ({seen.mean_batch:.1f} of {own.max_batch_size}) and requests wait "
                f"{seen.queue_ms:.1f} ms for {seen.compute_ms:.1f} ms of work: try max_batch_size {2 * own.max_batch_size} "
                "(`triptych tune`).",
            )


def backend_overhead(figures: Figures) -> Iterator[Finding]:
    """The backend is slower than its runtime."""
    for network in figures.networks:
        if network.full and network.backend and (share := network.backend.rate / network.full.rate) < GOOD:
            own = network.settings
            yield Finding(
                "backend_overhead",
                f"In Triton {own.name} reaches {share:.2f} of its runtime alone, in full batches: stacking rows and handing out answers "
                f"costs that. Larger batches (max_batch_size, now {own.max_batch_size}) or a second instance (instance_group count, "
                f"now {own.instances}) hide it; Triton's native {own.backend} backend, where there is one, avoids it.",
            )


def gathering_overhead(figures: Figures) -> Iterator[Finding]:
    """Single requests are slower than full batches."""
    for network in figures.networks:
        if network.backend and network.shared and (share := network.shared.rate / network.backend.rate) < GOOD:
            own, batch = network.settings, network.shared.models.get(network.settings.name)
            mean = f", which came together to batches of {batch.mean_batch:.1f}" if batch else ""
            yield Finding(
                "gathering_overhead",
                f"Single rows{mean}, give {share:.2f} of what full batches of {own.name} do: raise max_queue_delay_microseconds "
                f"(now {own.queue_delay_us}), keep more than {network.shared.in_flight} in flight, or send several rows in a request.",
            )


def message_size(figures: Figures) -> Iterator[Finding]:
    """Tensors on the wire cost more than a tenth. Through an ensemble they do not travel."""
    for network in figures.networks:
        if not (network.shared and network.messages):
            continue
        share = network.messages.rate / network.shared.rate
        lone = network.shared_lone.p50_ms / network.messages_lone.p50_ms if network.shared_lone and network.messages_lone else 1.0
        if min(share, lone) < GOOD:
            own = network.settings
            yield Finding(
                "message_size",
                f"Asking {own.name} with tensors in the messages ({network.request_bytes / 1e3:.0f} kB there, "
                f"{network.answer_bytes / 1e3:.0f} kB back) gives {share:.2f} of what shared memory gives, {lone:.2f} for a lone request: "
                "send encoded pictures to the ensemble, ask for the outputs that you need, or use system shared memory on this machine.",
            )


def _gain(network: Network) -> float:
    """How much faster full batches are; on the CPU by CPU time, which other processes disturb least."""
    assert network.full is not None and network.as_served is not None
    return network.as_served.cpu_ms / network.full.cpu_ms if network.on_cpu else network.full.rate / network.as_served.rate
