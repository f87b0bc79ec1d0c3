"""`triptych bench [MODEL…]`: measure a server under rising load and write a report: JSON, HTML and pictures."""

import datetime
import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from triptych.cli.console import CommandError, err, out
from triptych.cli.server_side import server_side
from triptych.endpoint import Endpoint

if TYPE_CHECKING:
    from triptych_server.benchmark.results import Point, Report


def run(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="search_image, search_text and faces, where served, when none is named."),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Serve with this profile, on a Triton of its own.", show_default="cpu")] = None,
    url: Annotated[str | None, typer.Option(help="Measure a running server instead: grpc://host:8001.", show_default=False)] = None,
    photos: Annotated[Path | None, typer.Option(help="A folder of at least 12 JPEGs; drawn ones without it.", show_default=False)] = None,
    concurrency: Annotated[str, typer.Option(metavar="N,N,…", help="Requests in flight; empty for none.")] = "1,2,4,8,16,32",
    rate: Annotated[str, typer.Option(metavar="R,R,…", help="Requests per second with Poisson arrivals as well: 5,10,20.")] = "",
    shared_memory: Annotated[
        bool,
        typer.Option(
            "--shared-memory",
            help="Through system shared memory as well (adds clip_visual); the server of --url wants `serve --client-shared-memory`.",
        ),
    ] = False,
    seconds: Annotated[float, typer.Option(min=0.2, help="Length of a window, of which a run takes three to six.")] = 2.0,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each load; they show the spread.")] = 3,
    stability: Annotated[float, typer.Option(min=1, help="Per cent that three windows may differ to count as stable.")] = 10.0,
    output: Annotated[Path | None, typer.Option(help="Folder of the report.", show_default="bench-<time>")] = None,
    metrics_url: Annotated[str | None, typer.Option(help="Metrics page of the server at --url.", show_default="its port 8002")] = None,
    repository: Annotated[Path | None, typer.Option(help="Folder with model_repository, python_models, ensembles.")] = None,
) -> None:
    """Measure throughput against latency, batches, CPU and memory with Triton's perf_analyzer. Ctrl-C keeps what was measured."""
    if url and profile:
        raise CommandError("--profile starts a server and --url measures one that runs; name one of them")
    endpoint = Endpoint.parse(url) if url else None
    if endpoint and (not endpoint.grpc or endpoint.secure):
        raise CommandError(f"{url} cannot be measured: perf_analyzer is run over plain gRPC here, write grpc://host:8001")
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C does: the server is stopped, what was measured is written
        signal.signal(number, _interrupt)
    with server_side():
        from triptych_server.benchmark.bench import BenchOptions, bench
        from triptych_server.benchmark.page import check_tools, write_report
        from triptych_server.benchmark.photos import load_corpus, own_corpus
        from triptych_server.benchmark.sweep import Plan
        from triptych_server.repository import Repository

        levels = tuple(int(value) for value in _numbers("--concurrency", concurrency, whole=True))
        plan = Plan(levels, _numbers("--rate", rate), shared_memory, seconds, runs, stability)
        options = BenchOptions(
            own_corpus(photos) if photos else load_corpus(None),
            tuple(models or ()),
            _profile(profile, repository) if not url else None,
            endpoint.address if endpoint else None,
            (metrics_url or endpoint.metrics_url()) if endpoint else None,
            Repository.locate(repository) if repository or not url else None,
            plan,
        )
        check_tools()
        folder = output or Path(f"bench-{datetime.datetime.now():%Y%m%d-%H%M%S}")
        report = bench(options, _say, _progress)
        page = write_report(report, folder)
    _print(report)
    typer.echo(f"report: {page}")
    if not report.complete:
        raise typer.Exit(130)


def _profile(name: str | None, repository: Path | None) -> str:
    from triptych_server.configs.profiles import profile_names
    from triptych_server.hardware.recommend import AUTO, recommended_profile
    from triptych_server.repository import Repository

    return recommended_profile(profile_names(Repository.locate(repository))) if name == AUTO else name or "cpu"


def _numbers(option: str, text: str, *, whole: bool = False) -> tuple[float, ...]:
    try:
        return tuple(int(part) if whole else float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise CommandError(f"{option} is {text!r}; expected {'whole ' if whole else ''}numbers with commas between: 1,2,4") from None


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(sentence: str) -> None:
    err().print(sentence, markup=False, soft_wrap=True)


def _progress(done: int, total: int, point: "Point", came: str) -> None:
    _say(f"{done}/{total}  {point.model}, {point.load}: {came}")


def _print(report: "Report") -> None:
    """The medians, point by point."""
    table = Table("model", "load", "answers/s", "p50 ms", "p95 ms", "p99 ms", "", box=None)
    for point in report.points:
        if point.runs:
            figures = [_median(point, name) for name in ("throughput", "p50_ms", "p95_ms", "p99_ms")]
            table.add_row(point.model, point.load, *figures, "" if point.stable else "not stable")
        elif point.problems:
            table.add_row(point.model, point.load, "", "", "", "", point.problems[0])
    out().print(table)


def _median(point: "Point", figure: str) -> str:
    from statistics import median

    return f"{median(point.values(figure)):.1f}"
