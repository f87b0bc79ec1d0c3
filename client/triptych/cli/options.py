"""Options that every command has which talks to a server, and the client made of them."""

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import CommandError
from triptych.client import Client
from triptych.endpoint import DEFAULT_URL
from triptych.tls import TLS

Url = Annotated[str, typer.Option("--url", envvar="TRIPTYCH_URL", help="grpc://, grpcs://, http:// or https://host:port")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.001, help="Seconds a request may take, with its repetitions.")]
Header = Annotated[list[str] | None, typer.Option("--header", help="Sent with every request, as 'name: value'; may be repeated.")]
TlsRoot = Annotated[Path | None, typer.Option("--tls-root", help="PEM file of the authority to trust.")]
TlsCertificate = Annotated[Path | None, typer.Option("--tls-certificate", help="PEM file of the client's certificate.")]
TlsKey = Annotated[Path | None, typer.Option("--tls-key", help="PEM file of the client's private key.")]
ControlKeyFile = Annotated[
    Path | None,
    typer.Option("--control-key-file", help="File with the server's control key.", show_default="TRIPTYCH_CONTROL_KEY, or what it noted"),
]
Concurrency = Annotated[int, typer.Option("--concurrency", min=1, help="Requests under way at a time.")]

URL, TIMEOUT, CONCURRENCY = DEFAULT_URL, 30.0, 16


def client(
    url: str,
    timeout: float,
    header: list[str] | None,
    root: Path | None,
    certificate: Path | None,
    key: Path | None,
    metrics_url: str | None = None,
) -> Client:
    """A client for the options above; raises TriptychError for those that make no sense."""
    tls = TLS(root, certificate, key) if root or certificate or key else None
    return Client(url, timeout=timeout, headers=headers(header or []), tls=tls, metrics_url=metrics_url)


def headers(lines: list[str]) -> dict[str, str]:
    """`name: value` each; raises CommandError for a line without a colon."""
    found = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise CommandError(f"--header {line!r} has no colon; write it as 'name: value'")
        found[name.strip()] = value.strip()
    return found
