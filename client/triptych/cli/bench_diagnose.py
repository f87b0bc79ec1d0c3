"""`triptych bench diagnose`: measure each step from the runtime up to the whole, and say what to change."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from triptych.cli.console import err, out
from triptych.cli.server_side import server_side

if TYPE_CHECKING:
    from triptych_server.benchmark.diagnosis.figures import Figures
    from triptych_server.benchmark.diagnosis.ladder import Rung
    from triptych_server.benchmark.diagnosis.rules.finding import Finding
    from triptych_server.benchmark.diagnosis.watch import Server
    from triptych_server.repository import Repository

NOTHING = "Nothing stands out: every step reaches what the one before it allows."


def diagnose(
    target: Annotated[str, typer.Argument(help="An ensemble or a network: search_image, search_text, faces, photo, clip_visual.")],
    profile: Annotated[str, typer.Option(help="The profile to serve with; with --url, the one that is served.")] = "cpu",
    in_flight: Annotated[int, typer.Option(min=2, help="Requests at a time, for saturation.")] = 16,
    seconds: Annotated[float, typer.Option(min=0.3, help="Length of one measurement; there are about twelve.")] = 4.0,
    photos: Annotated[Path | None, typer.Option(help="A folder of JPEGs to send; drawn ones without it.", show_default=False)] = None,
    url: Annotated[
        str | None, typer.Option(help="A Triton that runs already, host:port of its gRPC; else one is started.", show_default=False)
    ] = None,
    repository: Annotated[Path | None, typer.Option(help="Folder with model_repository, python_models, ensembles.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every figure as JSON.")] = False,
) -> None:
    """Find the bottleneck: the runtime alone, the backend, gRPC, the ensemble; each as a share of the one before, and what to change."""
    with server_side():
        from triptych_server.benchmark.diagnosis.diagnose import Diagnosis, check_target
        from triptych_server.benchmark.diagnosis.ladder import ladder, summary
        from triptych_server.benchmark.diagnosis.rules import findings
        from triptych_server.benchmark.photos import own_photos
        from triptych_server.configs.profiles import profile_names
        from triptych_server.hardware.recommend import AUTO, recommended_profile
        from triptych_server.repository import Repository
        from triptych_server.tuning.load import Load

        place = Repository.locate(repository)
        check_target(place, target)
        chosen = recommended_profile(profile_names(place)) if profile == AUTO else profile
        pictures = own_photos(photos) if photos else ()
        with _server(place, chosen, url) as server:
            load = Load(in_flight, seconds, warm_up=min(1.0, seconds / 2))
            figures = Diagnosis(server, place, chosen, target, load, pictures).run(_say)
        rungs, found = ladder(figures), findings(figures)
    if as_json:
        limits = asdict(figures.limits) if figures.limits else None
        content = {"reached": figures.reached, "limits": limits, "ladder": [asdict(each) for each in rungs]}
        content |= {"findings": [asdict(each) for each in found], "figures": asdict(figures)}
        typer.echo(json.dumps(content, indent=2))
    else:
        _print(figures, summary(figures), rungs, found)


@contextlib.contextmanager
def _server(place: "Repository", profile: str, url: str | None) -> Iterator["Server"]:
    """The one that runs, or one of its own for as long as the block lasts."""
    from triptych.endpoint import Endpoint
    from triptych_server.benchmark.diagnosis.watch import Server
    from triptych_server.benchmark.served import listener
    from triptych_server.engine import Engine, EngineOptions

    cores = len(os.sched_getaffinity(0))
    if url:
        address = url.removeprefix("grpc://")
        yield Server(address, listener(address), cores, Endpoint.parse(url).metrics_url())
        return
    with Engine(EngineOptions(place, profile=profile, http_port=0, grpc_port=0, metrics_port=0, client_shared_memory=True)) as engine:
        yield Server(engine.grpc_url.removeprefix("grpc://"), engine.pid, cores, engine.metrics_url)


def _say(sentence: str) -> None:
    err().print(sentence, markup=False, soft_wrap=True)


def _print(figures: "Figures", summary: str, rungs: "list[Rung]", found: "list[Finding]") -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("part", "step"):
        table.add_column(title, overflow="fold")
    for title in ("per second", "share", "lone ms", "share", "CPU ms", "share"):
        table.add_column(title, justify="right")
    last = ""
    for each in rungs:
        cells = [_number(each.rate, ".1f"), _number(each.rate_share, ".2f"), _number(each.lone_ms, ".1f"), _number(each.lone_share, ".2f")]
        cells += [_number(each.cpu_ms, ".2f"), _number(each.cpu_share, ".2f")]
        table.add_row(Text(each.part if each.part != last else ""), Text(each.name), *cells)
        last = each.part
    out().print(table)
    if figures.is_ensemble:
        typer.echo(f"\n{summary}")
    typer.echo()
    for finding in found:
        typer.echo(f"- {finding.sentence}")
    if not found:
        typer.echo(NOTHING)
    for reason in (reason for network in figures.networks for reason in network.missing):
        typer.echo(f"- not measured: {reason}")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
