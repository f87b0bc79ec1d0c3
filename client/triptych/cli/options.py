"""Options that every command has which talks to a server, and the client made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
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

CONCURRENCY = 16


@dataclass(frozen=True, slots=True)
class Server:
    """How a server is reached."""

    url: Url = DEFAULT_URL
    timeout: Timeout = 30.0
    header: Header = None
    tls_root: TlsRoot = None
    tls_certificate: TlsCertificate = None
    tls_key: TlsKey = None

    def client(self, metrics_url: str | None = None, more: Sequence[str] = ()) -> Client:
        """A client that sends `more` headers, too; raises TriptychError for options that make no sense."""
        tls = TLS(self.tls_root, self.tls_certificate, self.tls_key) if self.tls_root or self.tls_certificate or self.tls_key else None
        sent = headers([*(self.header or []), *more])
        return Client(self.url, timeout=self.timeout, headers=sent, tls=tls, metrics_url=metrics_url)


SERVER = Server()


def headers(lines: list[str]) -> dict[str, str]:
    """`name: value` each; raises CommandError for a line without a colon."""
    found = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise CommandError(f"--header {line!r} has no colon; write it as 'name: value'")
        found[name.strip()] = value.strip()
    return found
