"""Rules about the cores: idle ones, and too many threads for them."""

from collections.abc import Iterator

from triptych_server.benchmark.diagnosis.figures import Figures, Settings
from triptych_server.benchmark.diagnosis.rules.finding import BUSY_CLIENT, IDLE, Finding, threads_of

WAITING = 0.5  # seconds that threads wait for a core, for each that they have one
DISTURBED = 1.1  # times the CPU time that a row takes alone


def waiting_beside_idle_cores(figures: Figures) -> Iterator[Finding]:
    """A queue, though cores have nothing to do."""
    machine = figures.many.machine
    if machine is None or machine.idle_share <= IDLE:
        return
    for own in figures.settings:
        seen = figures.many.models.get(own.name)
        if seen and seen.queue_ms > seen.compute_ms / 2 and own.name not in _on_accelerator(figures):
            yield Finding(
                "waiting_beside_idle_cores",
                f"Requests wait {seen.queue_ms:.1f} ms for {own.name} while {machine.idle_share:.0%} of the cores are idle: {_more(own)}.",
            )


def idle_gaps(figures: Figures) -> Iterator[Finding]:
    """Cores idle, and nobody waits: too little is in flight, or each waits for the other."""
    machine = figures.many.machine
    if machine is None or machine.idle_share <= IDLE or any(not network.on_cpu for network in figures.networks):
        return
    if figures.many.client_share > BUSY_CLIENT or next(waiting_beside_idle_cores(figures), None):
        return  # they say why
    yield Finding(
        "idle_gaps",
        f"{machine.idle_share:.0%} of the cores are idle with {figures.many.in_flight} requests in flight, and no queue is long: "
        "keep more in flight, or let each step run beside itself (instance_group count 2 of the Python models).",
    )


def oversubscribed(figures: Figures) -> Iterator[Finding]:
    """More threads than cores, and inference pays for it in CPU time."""
    machine = figures.many.machine
    if machine is None or machine.waiting is None or machine.waiting <= WAITING:
        return
    for network in figures.networks:
        own, spent = network.settings, machine.cpu_ms.get(network.settings.name)
        alone = network.as_served or network.full
        if spent is None or alone is None or not network.on_cpu or not network.each:
            continue
        factor = spent / network.each / alone.cpu_ms
        if factor > DISTURBED:
            steps = " and ".join(f"`threads` of {step.settings.name}" for step in figures.steps) or "the instances"
            yield Finding(
                "oversubscribed",
                f"Ready threads wait {machine.waiting:.1f} s for every CPU second, and a row of {own.name} takes {factor:.2f} times "
                f"the CPU time that it takes alone: too many threads for {figures.cores} cores. Lower {steps}, or {threads_of(own)} "
                f"of {own.name}, so that together they are as many as the cores.",
            )


def _on_accelerator(figures: Figures) -> set[str]:
    return {network.settings.name for network in figures.networks if not network.on_cpu}


def _more(own: Settings) -> str:
    """What lets a model do more at a time."""
    if own.backend == "python":
        threads = own.parameters.get("threads", "1")
        return f"raise its instance_group count (now {own.instances}), or its `threads` (now {threads}; 0: every core)"
    if own.backend == "openvino":
        return f"set NUM_STREAMS or PERFORMANCE_HINT THROUGHPUT (now {own.parameters.get('PERFORMANCE_HINT', 'unset')})"
    return f"raise its instance_group count (now {own.instances}), or its {threads_of(own)}"
