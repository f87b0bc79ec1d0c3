"""Rules about the parts of an ensemble: which one is most of the work, which one is slower than it need be."""

from collections.abc import Iterator

from triptych_server.benchmark.diagnosis.figures import Figures, FirstStep
from triptych_server.benchmark.diagnosis.rules import batches, cores, load
from triptych_server.benchmark.diagnosis.rules.finding import BUSY_CLIENT, GOOD, Finding

STARVED_STEP = 0.8
LEADING = 0.7
_REASONS = (load.client_bound, cores.oversubscribed, cores.waiting_beside_idle_cores, cores.idle_gaps, batches.small_batches)


def starved_step(figures: Figures) -> Iterator[Finding]:
    """Decoding does not use the cores."""
    for step in figures.steps:
        share = step.many.rate / step.rate
        if share < STARVED_STEP and step.many.client_share <= BUSY_CLIENT:
            yield Finding(
                "starved_step", f"{step.settings.name} reaches {share:.2f} of what its function does on all cores: {_threads(step)}."
            )


def disturbed_steps(figures: Figures) -> Iterator[Finding]:
    """The whole is slower than its parts, and nothing else says why."""
    parts = figures.through_grpc
    if parts is None or not figures.is_ensemble or (share := figures.many.rate / parts.throughput) >= GOOD:
        return
    if any(next(rule(figures), None) for rule in _REASONS):
        return
    yield Finding(
        "disturbed_steps",
        f"{figures.target} reaches {share:.2f} of what its parts do one by one: they disturb each other. Try fewer `threads` of the Python "
        "models, or cores of their own for them (instance_group host_policy).",
    )


def leading_part(figures: Figures) -> Iterator[Finding]:
    """One part is most of the work, so that only what makes that part cheaper helps."""
    if figures.cpu_ms is None:
        return
    spent = {step.settings.name: step.cpu_ms for step in figures.steps}
    spent |= {network.settings.name: network.each * network.full.cpu_ms for network in figures.networks if network.full}
    name = max(spent, key=lambda each: spent[each])
    share = spent[name] / sum(spent.values())
    if len(spent) < 2 or share <= LEADING:
        return
    if any(step.settings.name == name for step in figures.steps):
        what = "smaller pictures, `decode: scaled`, or more cores make it cheaper"
    else:
        network = next(each for each in figures.networks if each.settings.name == name)
        what = (
            f"a lower precision (now {network.full.precision if network.full else '?'}), a smaller model or an accelerator makes it cheaper"
        )
    yield Finding(
        "leading_part",
        f"{name} is {share:.0%} of the work of a request: {what}; all else together can give {share / (1 - share):.0f} times less.",
    )


def _threads(step: FirstStep) -> str:
    threads = int(step.settings.parameters.get("threads", "1")) or step.cores
    if threads < step.cores:
        return f"raise its `threads` (now {threads}) to {step.cores}, or to 0 for every core"
    return f"its {threads} threads share one Python process; raise its instance_group count (now {step.settings.instances})"
