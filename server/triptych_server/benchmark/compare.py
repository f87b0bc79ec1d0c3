"""Two reports -> for every load that both have, ratios of their figures, and whether the difference is more than the runs' spread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import comb
from statistics import median
from typing import Any

from triptych_server.benchmark.results import Point, Report

FIGURES = {"throughput": True, "p50_ms": False, "p95_ms": False, "p99_ms": False, "cpu_ms_sum": False, "pss_mib": False}
"""What is compared, and whether more of it is better."""
LABELS = {
    "throughput": "answers per second",
    "p50_ms": "p50, ms",
    "p95_ms": "p95, ms",
    "p99_ms": "p99, ms",
    "cpu_ms_sum": "CPU per answer, ms",
    "pss_mib": "memory, MiB",
}
LEAST_RUNS = 3
"""Of two against two, every third pair without any difference would lie apart by chance; of three against three, every tenth."""


class Verdict(Enum):
    """Of the second report against the first."""

    BETTER = "better"
    WORSE = "worse"
    WITHIN = "within the spread"
    UNKNOWN = "too few runs"


@dataclass(frozen=True, slots=True)
class Change:
    """One figure at one load: every run of both, in the figure's own unit."""

    point: Point
    figure: str
    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Second over first, of the medians."""
        return median(self.after) / median(self.before)

    @property
    def verdict(self) -> Verdict:
        """Beyond the spread: every run of one is better than every run of the other."""
        if min(len(self.before), len(self.after)) < LEAST_RUNS:
            return Verdict.UNKNOWN
        more = FIGURES[self.figure]
        if min(self.after) > max(self.before):
            return Verdict.BETTER if more else Verdict.WORSE
        if max(self.after) < min(self.before):
            return Verdict.WORSE if more else Verdict.BETTER
        return Verdict.WITHIN

    @property
    def chance(self) -> float:
        """How often the runs of two that do not differ lie apart like that: as often as one order of all is one of these two."""
        return 2 / comb(len(self.before) + len(self.after), len(self.before))

    @property
    def loss(self) -> float:
        """By how much it got worse, relative to the first; below 0 where it got better."""
        return 1 - self.ratio if FIGURES[self.figure] else self.ratio - 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """`obstacles`: why the two are not of the same thing; `lost`: loads that only the first has figures of."""

    first: Report
    second: Report
    changes: tuple[Change, ...]
    obstacles: tuple[str, ...]
    differences: tuple[str, ...]
    lost: tuple[Point, ...]
    gained: tuple[Point, ...]

    def failures(self, limit: float) -> list[str]:
        """Sentences on what got worse by more than `limit` (0.1: 10 %) and beyond the spread, or gives no figures any more."""
        found = [
            f"{change.point.model}, {change.point.load}: {LABELS[change.figure]}: {median(change.before):.3g} -> {median(change.after):.3g}"
            for change in self.changes
            if change.verdict is Verdict.WORSE and change.loss > limit
        ]
        return found + [f"{point.model}, {point.load}: no figures any more" for point in self.lost]

    def counts(self) -> dict[Verdict, int]:
        """How many figures got which verdict, those that occur."""
        return {verdict: count for verdict in Verdict if (count := sum(change.verdict is verdict for change in self.changes))}

    @property
    def chance(self) -> float:
        """The share of all figures that come out better or worse where nothing has changed."""
        return max((change.chance for change in self.changes if change.verdict is not Verdict.UNKNOWN), default=0.0)

    @property
    def unknown(self) -> bool:
        """Whether a load has too few runs to tell."""
        return any(change.verdict is Verdict.UNKNOWN for change in self.changes)


def compare(first: Report, second: Report) -> Comparison:
    """Match the loads by model, kind and level."""
    later = {point.key: point for point in second.points if point.runs}
    earlier = {point.key: point for point in first.points if point.runs}
    changes = [
        Change(point, figure, _values(point, figure), _values(later[key], figure))
        for key, point in earlier.items()
        if key in later
        for figure in FIGURES
    ]
    return Comparison(
        first,
        second,
        tuple(change for change in changes if _comparable(change)),
        tuple(_obstacles(first.facts, second.facts)),
        tuple(_differences(first.facts, second.facts)),
        tuple(point for key, point in earlier.items() if key not in later),
        tuple(point for key, point in later.items() if key not in earlier),
    )


def _comparable(change: Change) -> bool:
    return bool(change.before and change.after) and min(median(change.before), median(change.after)) > 0


def _values(point: Point, figure: str) -> tuple[float, ...]:
    if figure == "cpu_ms_sum":  # perf_analyzer's own time left out
        return tuple(sum(ms for role, ms in run.cpu_ms.items() if role != "perf_analyzer") for run in point.runs if run.cpu_ms)
    return point.values(figure)


def _obstacles(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """What must be the same for a ratio to say something about the software or the config."""
    found = []
    for what, keys in {"machine": ("machine", "cpu"), "number of cores": ("machine", "cores"), "corpus": ("corpus", "digest")}.items():
        before, after = first[keys[0]][keys[1]], second[keys[0]][keys[1]]
        if before != after:
            found.append(f"another {what}: {before} and {after}")
    weights, others = first.get("weights") or {}, second.get("weights") or {}
    changed = [name for name in sorted(weights.keys() & others.keys()) if weights[name] != others[name]]
    found += [f"other weights of {name}: {weights[name]} and {others[name]}" for name in changed]
    if bool(weights) != bool(others):
        found.append("the weights of one are not known")
    before, after = first["plan"], second["plan"]
    return found + [
        f"other {what}: {before[what]:g} and {after[what]:g}" for what in ("seconds", "stability") if before[what] != after[what]
    ]


def _differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """What may be the reason for a change."""
    found = [] if first["profile"] == second["profile"] else [f"profile: {first['profile']} and {second['profile']}"]
    names: Sequence[str] = sorted(first["versions"].keys() | second["versions"].keys())
    for name in names:
        before, after = first["versions"].get(name, "unknown"), second["versions"].get(name, "unknown")
        if before != after:
            found.append(f"{name}: {before} and {after}")
    return found
