"""All points of a search in one picture: throughput against latency, the Pareto front, the profile and the best."""

from collections.abc import Sequence
from pathlib import Path

from triptych_server.errors import RuntimeMissingError
from triptych_server.tuning.goal import Goal
from triptych_server.tuning.search import Tried, pareto
from triptych_server.tuning.trial import Score


def draw(file: Path, title: str, profile: Score, tried: Sequence[Tried], best: Tried | None, goal: Goal) -> None:
    """Write a PNG. RuntimeMissingError where Matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise RuntimeMissingError("Matplotlib, which draws the points, is not installed: pip install 'triptych[tune]'") from None
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots()
    scored = [each.score for each in tried if each.score is not None]
    axes.scatter([score.throughput for score in scored], [score.p95_ms for score in scored], s=22, color="#8aa0b8", label="points tried")
    front = [each.score for each in pareto(tried) if each.score is not None]
    x, y = [score.throughput for score in front], [score.p95_ms for score in front]
    axes.plot(x, y, color="#33608f", lw=1.5, drawstyle="steps-pre", label="Pareto front")  # between two points there is nothing
    axes.scatter([profile.throughput], [profile.p95_ms], s=90, marker="s", color="#c0562f", label="the profile", zorder=3)
    if best is not None and best.score is not None:
        axes.scatter(
            [best.score.throughput], [best.score.p95_ms], s=160, marker="*", color="#2e8b57", label="the best, confirmed in turns", zorder=4
        )
    if goal.p95_ms is not None:
        axes.axhline(goal.p95_ms, color="#c0562f", ls="--", lw=1, label=f"limit on p95: {goal.p95_ms:g} ms")
    axes.set(title=title, xlabel="answers per second", ylabel="p95 latency, ms")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)  # where it hides no point
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=130)
