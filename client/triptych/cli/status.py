"""`triptych status`: one row per model: state, device asked and got, load; with --check, whether all is as it was asked for."""

import dataclasses
import json
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from triptych.cli import options
from triptych.cli.console import err, fail, out
from triptych.cli.control_key import CONTROL_HEADERS, given_key, noted_key
from triptych.cli.grouped import grouped
from triptych.status import ModelStatus, ServerStatus

ABSENT = "-"
_SERVER = options.Server(timeout=10.0)


@grouped
def status(
    metrics_url: Annotated[
        str | None,
        typer.Option(envvar="TRIPTYCH_METRICS_URL", help="Triton's metrics.", show_default="port 8002 of the same host"),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="One line; fails, too, when a model runs elsewhere than asked. For health checks.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    control_key_file: options.ControlKeyFile = None,
    server: options.Server = _SERVER,
) -> None:
    """Show what every model of a server is doing. Exit code 1 when one that was to be loaded is not ready."""
    control_key = given_key(control_key_file) or noted_key(server.url)
    keys = [f"{name}: {control_key}" for name in CONTROL_HEADERS if control_key]
    with server.client(metrics_url, keys) as client:
        seen = client.server_status()
    if as_json:
        typer.echo(json.dumps({**dataclasses.asdict(seen), "problems": seen.problems}, indent=2))
    elif check:
        if not seen.problems:
            idle = sum(model.idle for model in seen)
            typer.echo(
                f"{sum(model.ready for model in seen)} models are ready, on the devices that they were asked to run on"
                + f"; {idle} are idle, to be loaded on demand" * bool(idle)
            )
    else:
        out().print(_table(seen))
        if seen.note:
            err().print(f"note: {seen.note}", markup=False, soft_wrap=True)
    if check:
        for problem in seen.problems:
            fail(problem)
        raise typer.Exit(1 if seen.problems else 0)
    waiting = [model for model in seen if model.waiting]
    if waiting:
        reasons = "; ".join(f"{model.name} is {model.state}" + (f" ({model.reason})" if model.reason else "") for model in waiting)
        raise typer.Exit(fail(f"{len(waiting)} of {len(seen)} models are not ready: {reasons}"))


def _table(server: ServerStatus) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("model", "state", "profile", "device", "precision"):
        table.add_column(title, overflow="fold")
    for title in ("instances", "mean batch", "p50 ms", "count"):
        table.add_column(title, justify="right")
    for model in server:
        table.add_row(
            Text(model.name),
            Text(model.state, style="green" if model.ready else "dim" if model.left_out or model.idle else "red"),
            model.profile or ABSENT,
            _device(model),
            model.precision or ABSENT,
            _number(model.instances, "d"),
            _number(model.mean_batch, ".1f"),
            _number(model.p50_ms, ".1f"),
            _number(model.count, "d"),
        )
    return table


def _device(model: ModelStatus) -> Text:
    """What was got; where it is not what was asked for, both."""
    if model.fallback:
        return Text(f"{model.device_requested or ABSENT} -> {model.device_actual or ABSENT}", style="yellow")
    return Text(model.device_actual or ABSENT)


def _number(value: float | None, form: str) -> str:
    return ABSENT if value is None else format(value, form)
