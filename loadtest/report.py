"""What the benchmark says in the end: series of measurements -> rows with a ratio and a goal -> a JSON file and a table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from triptych_server.benchmark.page import render
from triptych_server.benchmark.series import Series

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Goal:
    """What a row must show: `of` its ratio or our own figure, at least (`>=`) or at most (`<=`) `limit`."""

    limit: float
    sense: Literal[">=", "<="]
    of: Literal["ratio", "ours"] = "ratio"

    def reached(self, value: float) -> bool:
        """Whether `value` is good enough."""
        return value >= self.limit if self.sense == ">=" else value <= self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: ours against a baseline (None: there is nothing to compare with, only a goal for our own figure),
    measured in turns on the same machine.

    A row without a goal stands for comparison. `bound` is the best ratio this machine could give at all, by what its
    runtime and decoder do alone.
    """

    name: str
    what: str
    ours: Series
    baseline: Series | None = None
    goal: Goal | None = None
    bound: float | None = None

    def __post_init__(self) -> None:
        if self.baseline is None and self.goal is not None and self.goal.of == "ratio":
            raise ValueError(f"{self.name} has a goal for its ratio but no baseline to take one with")

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours over the baseline's, pair by pair as they were measured after each other, which cancels slow drifts."""
        if self.baseline is None:
            return ()
        if len(self.ours.values) == len(self.baseline.values):
            return tuple(a / b for a, b in zip(self.ours.values, self.baseline.values, strict=True))
        return (self.ours.median / self.baseline.median,)

    @property
    def ratio(self) -> float | None:
        """The median of `ratios`."""
        return median(self.ratios) if self.ratios else None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        value = self.ratio if self.goal.of == "ratio" else self.ours.median
        return value is not None and self.goal.reached(value)

    def as_json(self) -> dict[str, Any]:
        """Everything, with the derived figures written out."""
        series = {name: _series(s) for name, s in (("ours", self.ours), ("baseline", self.baseline))}
        figures = {"ratio": self.ratio, "ratios": self.ratios, "bound": self.bound, "reached": self.reached}
        return {"name": self.name, "what": self.what, **series, **figures, "goal": asdict(self.goal) if self.goal else None}


def _series(series: Series | None) -> dict[str, Any] | None:
    return None if series is None else asdict(series) | {"median": series.median, "spread": series.spread}


def write_report(path: Path, rows: Sequence[Row], facts: Mapping[str, Any]) -> None:
    """Save rows and facts (machine, versions, corpus, where the time goes) as JSON, and as a page of the same name beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**facts, "rows": [row.as_json() for row in rows]}
    path.write_text(json.dumps(content, indent=2, default=str) + "\n")
    page = render("goals.html.j2", {"rows": rows, "facts": facts}, [TEMPLATES])
    path.with_suffix(".html").write_text(page, encoding="utf-8")


def print_rows(console: Console, rows: Sequence[Row]) -> None:
    """The table of goals; `best here` is the ratio that this machine allows at all."""
    table = Table("what", "ours", "baseline", "ratio", "best here", "goal", "reached", title="Against the goals")
    for row in rows:
        spread = f" [dim]{min(row.ratios):.2f} to {max(row.ratios):.2f}[/]" if len(row.ratios) > 1 else ""
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}{spread}"
        bound = "" if row.bound is None else f"{row.bound:.2f}"
        verdict = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[row.reached]
        labels = " / ".join(series.label for series in (row.ours, row.baseline) if series)
        table.add_row(f"{row.what}\n[dim]{labels}[/]", _cell(row.ours), _cell(row.baseline), ratio, bound, _goal(row), verdict)
    console.print(table)


def print_lines(console: Console, title: str, lines: Sequence[tuple[str, str]]) -> None:
    """A small table of names and figures."""
    table = Table("where", "figure", title=title)
    for name, figure in lines:
        table.add_row(name, figure)
    console.print(table)


def _cell(series: Series | None) -> str:
    if series is None:
        return ""
    spread = f" [dim]±{50 * series.spread:.0f} %[/]" if len(series.values) > 1 else ""
    return f"{series.median:.3g} {series.unit}{spread}"


def _goal(row: Row) -> str:
    if row.goal is None:
        return ""
    return f"{row.goal.sense} {row.goal.limit:g}" + (f" {row.ours.unit}" if row.goal.of == "ours" else "")
