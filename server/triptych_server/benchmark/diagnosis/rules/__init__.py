"""Figures -> sentences: what each loss shows itself by, and which knob changes it. One rule a function."""

from collections.abc import Sequence

from triptych_server.benchmark.diagnosis.figures import Figures
from triptych_server.benchmark.diagnosis.rules import batches, cores, load, lone, parts
from triptych_server.benchmark.diagnosis.rules.finding import Finding, Rule

ALWAYS: Sequence[Rule] = (
    load.other_processes,
    load.client_bound,
    load.refused,
    batches.small_batches,
    batches.full_batches,
    lone.delayed_alone,
    parts.leading_part,
)
"""Those that stand on counts, on CPU time or on the config, which other processes hardly move."""
WHEN_QUIET: Sequence[Rule] = (
    cores.waiting_beside_idle_cores,
    cores.idle_gaps,
    cores.oversubscribed,
    batches.backend_overhead,
    batches.gathering_overhead,
    batches.message_size,
    parts.starved_step,
    parts.disturbed_steps,
    lone.cores_unused_alone,
)
"""Those that compare speeds, or look at who waits for a core."""


def findings(figures: Figures) -> list[Finding]:
    """Every rule's sentences; what makes the others doubtful comes first."""
    rules = (*ALWAYS, *WHEN_QUIET) if figures.is_quiet else ALWAYS
    return [found for rule in rules for found in rule(figures)]
