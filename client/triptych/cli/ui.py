"""`triptych ui`: the page over a library, on this machine alone; with --serve it starts Triton, too."""

import signal
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from triptych.cli import library_options, options
from triptych.cli.console import CommandError, err
from triptych.cli.server_side import server_side
from triptych.endpoint import DEFAULT_URL

_HOST, _PORT = "127.0.0.1", 3033


def ui(
    folders: Annotated[list[Path] | None, typer.Argument(help="Folders of photos to index first.", show_default="none")] = None,
    library: library_options.File = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = _PORT,
    browse: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    serve: Annotated[bool, typer.Option("--serve", help="Start Triton for it, on the models that are in place.")] = False,
    profile: Annotated[str, typer.Option(envvar="TRIPTYCH_PROFILE", help="Hardware profile, with --serve.")] = "auto",
    triton: Annotated[
        list[str] | None,
        typer.Option("--triton", envvar="TRIPTYCH_TRITONS", help="A Triton's address; may be repeated.", show_default=DEFAULT_URL),
    ] = None,
    metrics_url: Annotated[
        str | None,
        typer.Option(envvar="TRIPTYCH_METRICS_URL", help="Of the first Triton.", show_default="port 8002 of the same host"),
    ] = None,
    header: options.Header = None,
) -> None:
    """Look at a library: search, photos, people, status. The page is served to this machine alone, until Ctrl-C.

    `triptych gateway --library FILE --api-keys KEYS` serves it to others.
    """
    if serve and triton:
        raise CommandError("--serve starts a Triton, and --triton names one that runs; give one of them")
    if serve:
        with _engine(profile) as (url, metrics):
            _show(library, folders or [], port, browse, [url], metrics, header)
    else:
        _show(library, folders or [], port, browse, triton or [DEFAULT_URL], metrics_url, header)


def _show(
    library: Path | None,
    folders: list[Path],
    port: int,
    browse: bool,
    tritons: list[str],
    metrics_url: str | None,
    header: list[str] | None,
) -> None:
    try:
        from triptych.gateway.app import build
        from triptych.gateway.run import run
        from triptych.gateway.settings import GatewaySettings
        from triptych.page.settings import ROOT, PageSettings
    except ModuleNotFoundError as error:
        raise CommandError(
            f"this command needs the parts gateway and library, and {error.name} is not installed: pip install 'triptych[gateway,library]'"
        ) from None
    settings = GatewaySettings(tritons=tuple(tritons), headers=options.headers(header or []))
    page = PageSettings(library, tuple(folders), metrics_urls={tritons[0]: metrics_url} if metrics_url else {})

    def listening(bound: int) -> None:
        address = f"http://{_HOST}:{bound}{ROOT}/"
        typer.echo(f"the page: {address}  (Ctrl-C ends it)")
        if browse:
            webbrowser.open(address)

    run(build(settings, page), _HOST, port, "warning", listening=listening)


@contextmanager
def _engine(profile: str) -> Iterator[tuple[str, str]]:
    """A Triton of our own on free ports: its address and that of its metrics."""
    with server_side():
        from triptych_server.engine import Engine, EngineOptions
        from triptych_server.repository import Repository

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop it as Ctrl-C does
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))  # its terminal was closed
        chosen = EngineOptions(Repository.locate(), profile=profile, http_port=0, grpc_port=0, metrics_port=0)
        with ExitStack() as stack:
            with err().status("starting Triton and loading the models"):
                engine = stack.enter_context(Engine(chosen))
            yield engine.grpc_url, engine.metrics_url
