"""What came of a scenario: what callers were told -> counts, the time until all was well, which promises were broken."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtest.chaos.traffic import Told
from loadtest.questions import Fate

HARMLESS = frozenset({Fate.ANSWERED, Fate.REFUSED})


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scenario. `healed` is the time in seconds from the fault until the last caller was told anything bad (0: nobody was), None where
    it never healed; `broken` says which promises were, and `late` whether it took longer than promised, the machine's affair too."""

    scenario: str
    counts: dict[str, int]
    wrong: int
    healed: float | None
    notes: tuple[str, ...]
    said: tuple[str, ...]
    broken: tuple[str, ...]
    late: str = ""

    @property
    def lost(self) -> int:
        """Callers who never heard anything."""
        return self.counts.get(Fate.LOST, 0)


def outcome(
    scenario: str, told: Sequence[Told], fault: float, *, allowed: frozenset[Fate], within: float, well: bool, notes: Sequence[str]
) -> Outcome:
    """Count what callers were told. Besides right answers and refusals by a full queue they may hear what is `allowed`, for `within`
    seconds after the fault; `well` tells whether all was well in the end."""
    counts = Counter(each.fate.value for each in told)
    bad = [each for each in told if each.is_bad]
    healed = max((each.moment - fault for each in bad), default=0.0) if well else None
    wrong = sum(each.wrong for each in told)
    broken = [f"{wrong} wrong answers"] if wrong else []
    broken += [f"{counts[fate]} {fate.value}" for fate in Fate if counts[fate] and fate not in allowed | HARMLESS]
    if healed is None:
        broken.append("it did not heal")
    late = f"well after {healed:.1f} s, not {within:.0f}" if healed is not None and healed > within else ""
    said = Counter(each.said for each in bad)
    return Outcome(scenario, dict(counts), wrong, healed, tuple(notes), tuple(text for text, _ in said.most_common(4)), tuple(broken), late)


def print_outcomes(console: Console, outcomes: Sequence[Outcome]) -> None:
    """One row for each, then what the callers heard."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("scenario")
    for title in ("asked", "answered", "refused", "not there", "failed", "lost", "wrong", "well after"):
        table.add_column(title, justify="right")
    table.add_column("")
    for each in outcomes:
        kinds = (Fate.ANSWERED, Fate.REFUSED, Fate.NOT_THERE, Fate.FAILED, Fate.LOST)
        counts = (str(each.counts.get(kind, 0)) for kind in kinds)
        healed = "never" if each.healed is None else f"{each.healed:.1f} s"
        verdict = f"[red]{'; '.join(filter(None, (*each.broken, each.late)))}[/]" if each.broken or each.late else "[green]kept[/]"
        table.add_row(each.scenario, str(sum(each.counts.values())), *counts, str(each.wrong), healed, verdict)
    console.print(table)
    for each in outcomes:
        for text in (*each.notes, *each.said):
            console.print(f"{each.scenario}: {text}", style="dim", markup=False, highlight=False)


def write_outcomes(file: Path, outcomes: Sequence[Outcome]) -> None:
    """As JSON."""
    file.write_text(json.dumps([asdict(each) for each in outcomes], indent=2) + "\n", encoding="utf-8")
