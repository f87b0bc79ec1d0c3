"""`triptych watch`: look after a Triton that was not started by `triptych serve`, from a container beside it."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.control_key import given_key, noted_key
from triptych.cli.server_side import server_side
from triptych.cli.stop_signals import Stop, StopSignals


def watch(
    url: Annotated[str, typer.Option("--url", envvar="TRIPTYCH_HTTP_URL", help="Triton's HTTP.")] = "http://127.0.0.1:8000",
    metrics_url: Annotated[str, typer.Option(envvar="TRIPTYCH_METRICS_URL", help="Triton's metrics.")] = "http://127.0.0.1:8002/metrics",
    heal: Annotated[
        bool, typer.Option("--heal", help="Load models anew; Triton must run with --model-control-mode=explicit. Without, only tell.")
    ] = False,
    control_key_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the server's control key, if that keeps its model control closed.", show_default="$TRIPTYCH_CONTROL_KEY"
        ),
    ] = None,
    hang_seconds: Annotated[float, typer.Option(min=1, help="A model that has requests and finishes none for so long, hangs.")] = 600.0,
    watch_port: Annotated[int | None, typer.Option(min=0, max=65535, help="/metrics and /health/ready, on every address.")] = None,
) -> None:
    """Watch a Triton; exit with 1, for the orchestrator to start it anew, when it is in trouble that is not healed."""
    signals = StopSignals()
    signals.install()
    with server_side(), contextlib.suppress(Stop), contextlib.ExitStack() as stack:
        from triptych_server.engine.command import CONTROL_HEADER
        from triptych_server.engine.control import ControlApi
        from triptych_server.engine.heals import shown
        from triptych_server.engine.sidecar import Sidecar

        key = given_key(control_key_file) or noted_key(url)
        control = ControlApi(url.rstrip("/"), {CONTROL_HEADER: key} if key else {})
        sidecar = Sidecar(control, metrics_url, heal, hang=hang_seconds)
        if watch_port is not None:
            port = stack.enter_context(shown(sidecar.heals, "0.0.0.0", watch_port))
            typer.echo(f"what was healed: port {port}, /metrics")
        sidecar.run()
