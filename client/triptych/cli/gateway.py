"""`triptych gateway`: HTTP for photo servers, in front of Tritons that run."""

import os
from pathlib import Path
from typing import Annotated

import typer

from triptych.cli import options
from triptych.cli.console import CommandError
from triptych.cli.control_key import noted_headers
from triptych.endpoint import DEFAULT_URL
from triptych.gateway.settings import PORT, GatewaySettings
from triptych.tls import TLS

_DEFAULTS = GatewaySettings()


def gateway(
    triton: Annotated[
        list[str] | None,
        typer.Option("--triton", envvar="TRIPTYCH_TRITONS", help="A Triton's address; may be repeated.", show_default=DEFAULT_URL),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to bind to; other than loopback opens it to the network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = PORT,
    api_keys: Annotated[
        Path | None,
        typer.Option(
            envvar="TRIPTYCH_API_KEYS",
            help="File of keys, one a line, read again when it changes. Callers send one as a bearer token or X-Api-Key.",
            show_default="TRIPTYCH_API_KEY, or none wanted",
        ),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.0, help="Requests per second of one key, or address; 0: no limit.")] = _DEFAULTS.rate,
    burst: Annotated[int, typer.Option(min=1, help="Of these, at once.")] = _DEFAULTS.burst,
    max_faces: Annotated[int, typer.Option(min=1, help="Of one picture, the surest.")] = _DEFAULTS.max_faces,
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM file: callers speak HTTPS. Read again when it changes.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file of the certificate's private key.")] = None,
    tls_client_root: Annotated[Path | None, typer.Option(help="PEM file of the authority whose callers alone are let in (mTLS).")] = None,
    triton_tls_root: Annotated[Path | None, typer.Option(help="PEM file of the authority to trust for grpcs:// Tritons.")] = None,
    triton_tls_certificate: Annotated[Path | None, typer.Option(help="PEM file of what the gateway shows to them.")] = None,
    triton_tls_key: Annotated[Path | None, typer.Option(help="PEM file of its private key.")] = None,
    clip_name: Annotated[
        str | None, typer.Option(envvar="TRIPTYCH_CLIP_NAME", help="The name of the served CLIP, where it was imported without one.")
    ] = None,
    faces_name: Annotated[str | None, typer.Option(envvar="TRIPTYCH_FACES_NAME", help="Likewise of the face model.")] = None,
    max_upload_mb: Annotated[int, typer.Option(min=1, help="Of one request.")] = _DEFAULTS.max_upload >> 20,
    max_megapixels: Annotated[float, typer.Option(min=0.001, help="Of one picture.")] = _DEFAULTS.max_pixels / 1e6,
    max_in_flight: Annotated[int, typer.Option(min=1, help="Requests at a time; more are turned away.")] = _DEFAULTS.max_in_flight,
    timeout: Annotated[
        float, typer.Option(min=0.001, help="Seconds for a request to arrive, and again for its answer.")
    ] = _DEFAULTS.timeout,
    header: options.Header = None,
    library: Annotated[
        Path | None,
        typer.Option(help="A library's file, to show its page, too, at /ui/.", show_default="no page"),
    ] = None,
    index: Annotated[
        list[Path] | None,
        typer.Option(help="With --library: a folder of photos to index at the start; may be repeated.", show_default="none"),
    ] = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Answer photo servers (Immich's machine-learning API) and OpenAI-style embedding requests until Ctrl-C."""
    if log_level not in ("debug", "info", "warning", "error"):
        raise CommandError(f"--log-level is {log_level!r}; expected debug, info, warning or error")
    names = {task: name for task, name in (("clip", clip_name), ("faces", faces_name)) if name}
    settings = GatewaySettings(
        tritons=tuple(triton or (DEFAULT_URL,)),
        max_upload=max_upload_mb << 20,
        max_pixels=int(max_megapixels * 1e6),
        max_in_flight=max_in_flight,
        timeout=timeout,
        api_key=os.environ.get("TRIPTYCH_API_KEY") or None,  # no option: every user of the machine sees those
        api_keys_file=api_keys,
        rate=rate,
        burst=burst,
        max_faces=max_faces,
        tls=TLS(triton_tls_root, triton_tls_certificate, triton_tls_key) if triton_tls_root or triton_tls_certificate else None,
        headers=options.headers(header or []),
        names=names,
    )
    try:
        from triptych.gateway.app import build
        from triptych.gateway.certificate import Certificate
        from triptych.gateway.run import run
        from triptych.page.guard import LOOPBACK
        from triptych.page.settings import PageSettings
    except ModuleNotFoundError as error:
        raise CommandError(
            f"this command needs the gateway part, and {error.name} is not installed: pip install 'triptych[gateway]'"
        ) from None
    certificate = None
    if tls_certificate is not None and tls_key is not None:
        certificate = Certificate(tls_certificate, tls_key, tls_client_root)
    elif tls_certificate or tls_key or tls_client_root:
        raise CommandError("TLS needs --tls-certificate and --tls-key together; --tls-client-root goes with both")
    if library is not None and host not in LOOPBACK and not settings.is_keyed:
        raise CommandError("the page would show the photos to whoever reaches it; set --api-keys or TRIPTYCH_API_KEY, or bind to loopback")
    if index and library is None:
        raise CommandError("--index says what the page's library is to have; name its file, too: --library FILE")
    page = None if library is None else PageSettings(library, tuple(index or ()), control_headers=noted_headers(settings.tritons))
    run(build(settings, page), host, port, log_level, certificate)
