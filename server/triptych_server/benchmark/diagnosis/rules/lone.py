"""Rules about a lone request: what it waits for, which cores it gets."""

from collections.abc import Iterator

from triptych_server.benchmark.diagnosis.figures import Figures
from triptych_server.benchmark.diagnosis.rules.finding import Finding, threads_of

LONE_DELAY = 0.05  # of its time
LONE_CORES = 0.7  # of all cores


def delayed_alone(figures: Figures) -> Iterator[Finding]:
    """A lone request waits for company that does not come."""
    for own in figures.settings:
        share = own.queue_delay_us / 1e3 / figures.lone.p50_ms
        if share > LONE_DELAY and own.name in figures.lone.models:
            yield Finding(
                "delayed_alone",
                f"A lone request waits {own.queue_delay_us / 1e3:.1f} of its {figures.lone.p50_ms:.1f} ms for others to join it in "
                f"{own.name}: lower max_queue_delay_microseconds where single requests matter.",
            )


def cores_unused_alone(figures: Figures) -> Iterator[Finding]:
    """A lone row does not get every core."""
    for network in figures.networks:
        if network.single and network.on_cpu and figures.cores > 1:
            used = network.single.cpu_ms / network.single.batch_ms
            if used < LONE_CORES * figures.cores:
                own = network.settings
                hint = "PERFORMANCE_HINT LATENCY without NUM_STREAMS, and " if own.backend == "openvino" else ""
                yield Finding(
                    "cores_unused_alone",
                    f"A lone row of {own.name} uses {used:.1f} of {figures.cores} cores: {hint}{threads_of(own)} 0 give it "
                    "all, at the price of some throughput.",
                )
