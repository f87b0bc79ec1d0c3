"""`triptych bench compare A B`: what changed between two reports, and whether that is more than the spread of the runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from triptych.cli.console import CommandError, err, out
from triptych.cli.server_side import server_side

if TYPE_CHECKING:
    from triptych_server.benchmark.compare import Comparison

WORSE = 2
"""Exit code when something got worse by more than `--fail-over`."""
Place = Annotated[Path, typer.Argument(help="Folder or report.json of `triptych bench`.")]


def compare(
    first: Place,
    second: Place,
    fail_over: Annotated[
        float | None,
        typer.Option(
            min=0, help="Exit with 2 when a figure got worse by more than this, beyond the spread; 0.1: 10 %.", show_default=False
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the comparison as a page as well.", show_default=False)] = None,
) -> None:
    """Ratios of the second report's figures to the first's, for every load that both have."""
    with server_side():
        from triptych_server.benchmark.compare import LABELS
        from triptych_server.benchmark.compare import compare as compared
        from triptych_server.benchmark.page import render
        from triptych_server.benchmark.results import Report

        found = compared(Report.load(first), Report.load(second))
        if html is not None:
            page = render("comparison.html.j2", {"comparison": found, "names": (str(first), str(second)), "labels": LABELS})
            html.parent.mkdir(parents=True, exist_ok=True)
            html.write_text(page, encoding="utf-8")
    for obstacle in found.obstacles:
        err().print(f"[bold red]not the same:[/] {obstacle}", soft_wrap=True)
    if not found.changes:
        raise CommandError("the two reports have no load in common")
    _print(found)
    if html is not None:
        typer.echo(f"page: {html}")
    if fail_over is None:
        return
    if found.obstacles:
        raise CommandError("no verdict: --fail-over needs two reports of the same machine, photos, weights and windows")
    if found.unknown:
        raise CommandError("no verdict: a load has too few runs to show a spread; measure with --runs 3")
    failures = found.failures(fail_over)
    for failure in failures:
        err().print(f"worse by more than {100 * fail_over:g} %: {failure}", markup=False, soft_wrap=True)
    if failures:
        raise typer.Exit(WORSE)


def _print(found: "Comparison") -> None:
    from statistics import median

    from triptych_server.benchmark.compare import LABELS, Verdict
    from triptych_server.benchmark.page import figure as shown

    colours = {Verdict.BETTER: "green", Verdict.WORSE: "red"}
    table = Table("model", "load", "figure", "first", "second", "ratio", "", box=None)
    for change in found.changes:
        colour = colours.get(change.verdict, "dim")
        figures = [shown(median(change.before)), shown(median(change.after)), f"{change.ratio:.2f}"]
        table.add_row(change.point.model, change.point.load, LABELS[change.figure], *figures, f"[{colour}]{change.verdict.value}[/]")
    out().print(table)
    by_chance = f" (by chance alone: {100 * found.chance:.2g}% better or worse)" if found.chance else ""
    typer.echo(", ".join(f"{count} {verdict.value}" for verdict, count in found.counts().items()) + by_chance)
    for point in found.lost:
        err().print(f"only the first has figures of {point.model}, {point.load}", markup=False, soft_wrap=True)
    for difference in found.differences:
        err().print(f"differs: {difference}", markup=False, soft_wrap=True)
