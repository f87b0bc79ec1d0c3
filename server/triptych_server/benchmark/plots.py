"""The pictures of a report: points of load -> Matplotlib figures, each with a name, a title and what it shows in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from triptych_server.benchmark.results import Kind, Point, Report
from triptych_server.benchmark.svg import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#3f7fc1", "#d2752b", "#379a6b", "#a35fb0", "#c4504d", "#8a8f98", "#b59a2f", "#3aa3a8")  # mid tones: on light and on dark
QUANTILES = dict(zip(("p50_ms", "p90_ms", "p95_ms", "p99_ms"), COLOURS, strict=False))
"""Each with its colour, the same in every picture."""
SIZE = (5.4, 3.5)  # inches; with 10 pt it can be read at the width of a phone
LEAST_SHARE = 0.01  # of the CPU time, below which a process is not drawn
UNSTABLE = "not stable"
LINE = 45  # characters of a legend that fit side by side
_STYLE: Any = {
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """`name` is that of its file; `words` stand in for it where it cannot be seen."""

    name: str
    title: str
    words: str
    figure: "Figure"


def pictures(report: Report, model: str) -> Iterator[Picture]:
    """Those of one model for which there are figures."""
    sweep, rates = report.of(model, "concurrency"), report.of(model, "rate")
    shared = report.of(model, "concurrency", shared_memory=True)
    if sweep:
        yield _curve(model, sweep, shared)
        yield _quantiles(model, sweep, "concurrency")
    if rates:
        yield _quantiles(model, rates, "rate")
    if points := sweep or rates:
        if points[-1].typical.models:
            yield _parts(model, points[-1])
        if points[-1].typical.cpu_ms:
            yield _cpu(model, points)
            yield _memory(model, points)


def _curve(model: str, sweep: Sequence[Point], shared: Sequence[Point]) -> Picture:
    title = f"{model}: throughput against latency"
    figure, axes = _figure(title, "answers per second", "latency, ms")
    for points, style, note in ((sweep, "-", ""), (shared, "--", ", shared memory")):
        for name in ("p50_ms", "p95_ms"):
            if points:
                rates, ranges = _medians(points, "throughput"), _ranges(points, "throughput")
                _line(axes, points, rates, name, QUANTILES[name], f"{name[:3]}{note}", ls=style, xerr=ranges)
    for point, x, y in zip(sweep, _medians(sweep, "throughput"), _medians(sweep, "p95_ms"), strict=True):  # above both curves
        axes.annotate(f"{point.level:g}", (x, y), xytext=(0, 6), textcoords="offset points", fontsize=8, ha="center", color=INK)
    axes.set_xlim(left=0)
    axes.margins(y=0.1)
    _finish(figure, axes)
    best = max(sweep, key=lambda point: median(point.values("throughput")))
    words = f"Most: {median(best.values('throughput')):.1f} answers per second with {best.load}. Numbers at the points: requests in flight."
    return Picture(f"{model}-curve", title, f"{words} Bars: from the lowest to the highest run.", figure)


def _quantiles(model: str, points: Sequence[Point], kind: Kind) -> Picture:
    what = "requests in flight" if kind == "concurrency" else "requests per second asked for (Poisson)"
    title = f"{model}: latency by {'requests in flight' if kind == 'concurrency' else 'request rate'}"
    figure, axes = _figure(title, what, "latency, ms")
    places = range(len(points))
    for name, colour in QUANTILES.items():
        _line(axes, points, list(places), name, colour, name[:3])
    axes.set_xticks(places, [f"{point.level:g}" for point in points])
    _finish(figure, axes)
    last = points[-1]
    values = ", ".join(f"{name[:3]} {median(last.values(name)):.1f} ms" for name in QUANTILES)
    return Picture(f"{model}-latency-{kind}", title, f"With {last.load}: {values}. Bars: from the lowest to the highest run.", figure)


def _parts(model: str, point: Point) -> Picture:
    title = f"{model}: time in each model, {point.load}"
    figure, axes = _figure(title, "ms per request", "")
    uses = list(point.parts.items())
    names = [f"{name}\nbatch {use.mean_batch:.1f}" for name, use in uses]
    queue, compute = [use.queue_ms for _, use in uses], [use.compute_ms for _, use in uses]
    axes.barh(names, queue, color=COLOURS[1], label="waits in the queue", height=0.6)
    axes.barh(names, compute, left=queue, color=COLOURS[0], label="computes", height=0.6)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    _legend(figure, axes, 2)
    words = "; ".join(
        f"{name} waits {use.queue_ms:.1f} ms and computes {use.compute_ms:.1f} ms in batches of {use.mean_batch:.1f}" for name, use in uses
    )
    return Picture(f"{model}-parts", title, f"{words}.", figure)


def _cpu(model: str, points: Sequence[Point]) -> Picture:
    title = f"{model}: CPU time per answer"
    figure, axes = _figure(title, _axis(points), "CPU ms per answer, all cores")
    last = points[-1].typical.cpu_ms
    roles = [role for role in sorted(last, key=lambda role: -last[role]) if last[role] > LEAST_SHARE * sum(last.values())]
    bottom = [0.0] * len(points)
    for role, colour in zip(roles, COLOURS * 3, strict=False):
        heights = [point.typical.cpu_ms.get(role, 0.0) for point in points]
        axes.bar([f"{point.level:g}" for point in points], heights, bottom=bottom, color=colour, label=role, width=0.65)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    axes.margins(y=0.1)
    _finish(figure, axes)
    spent = ", ".join(f"{role} {last[role]:.1f} ms" for role in roles)
    return Picture(f"{model}-cpu", title, f"With {points[-1].load}: {spent}.", figure)


def _memory(model: str, points: Sequence[Point]) -> Picture:
    title = f"{model}: memory of the server"
    figure, axes = _figure(title, _axis(points), "MiB at the peak")
    places = range(len(points))
    kinds = {"rss_mib": "RSS, shared pages in each process", "pss_mib": "shared pages counted once", "shm_mib": "of it in /dev/shm"}
    for (name, label), colour in zip(kinds.items(), COLOURS, strict=False):
        axes.plot(places, _medians(points, name), marker="o", ms=4, lw=1.5, color=colour, label=label)
    axes.set_xticks(places, [f"{point.level:g}" for point in points])
    _finish(figure, axes)
    last = ", ".join(f"{label} {median(points[-1].values(name)):.0f} MiB" for name, label in kinds.items())
    return Picture(f"{model}-memory", title, f"With {points[-1].load}: {last}.", figure)


def _figure(title: str, x: str, y: str) -> tuple["Figure", Any]:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        axes.set_title(title, fontsize=10.5, loc="left")
        axes.set(xlabel=x, ylabel=y)
    return figure, axes


def _line(axes: Any, points: Sequence[Point], x: Sequence[float], name: str, colour: str, label: str, **more: Any) -> None:
    """One figure of every point, with bars from its lowest to its highest run, and a cross where one was not stable."""
    y, errors = _medians(points, name), _ranges(points, name)
    axes.errorbar(x, y, yerr=errors, marker="o", ms=4, lw=1.5, elinewidth=0.8, color=colour, label=label, **more)
    shaky = [index for index, point in enumerate(points) if not point.stable]
    if shaky:
        known = UNSTABLE in axes.get_legend_handles_labels()[1]
        marks = {"ls": "", "marker": "x", "ms": 6, "mew": 0.8, "color": INK, "label": "_" if known else UNSTABLE}
        axes.plot([x[index] for index in shaky], [y[index] for index in shaky], **marks)


def _finish(figure: "Figure", axes: Any) -> None:
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    _legend(figure, axes, 5)


def _legend(figure: "Figure", axes: Any, columns: int) -> None:
    """Below, where it hides nothing."""
    entries = sorted(zip(*axes.get_legend_handles_labels(), strict=True), key=lambda entry: entry[1] == UNSTABLE)
    labels = [label for _, label in entries]
    columns = columns if sum(map(len, labels)) < LINE else 2
    figure.legend(
        [handle for handle, _ in entries], labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=9, labelcolor=INK
    )


def _axis(points: Sequence[Point]) -> str:
    return "requests in flight" if points[0].kind == "concurrency" else "requests per second asked for"


def _medians(points: Sequence[Point], figure: str) -> list[float]:
    return [median(point.values(figure) or (0.0,)) for point in points]


def _ranges(points: Sequence[Point], figure: str) -> list[list[float]]:
    """How far the lowest and the highest run lie from the median, as error bars want it."""
    values: list[Any] = [point.values(figure) or (0.0,) for point in points]
    return [[median(each) - min(each) for each in values], [max(each) - median(each) for each in values]]
