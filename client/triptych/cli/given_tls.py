"""The certificates that `triptych serve` was given, for Triton's gRPC."""

from pathlib import Path
from typing import TYPE_CHECKING

from triptych.cli.console import CommandError

if TYPE_CHECKING:
    from triptych_server.engine.server_tls import ServerTLS


def given_tls(certificate: Path | None, key: Path | None, client_root: Path | None) -> "ServerTLS | None":
    """None without any; CommandError for half a pair."""
    from triptych_server.engine.server_tls import ServerTLS

    if certificate is not None and key is not None:
        return ServerTLS(certificate, key, client_root)
    if certificate or key or client_root:
        raise CommandError("TLS needs --tls-certificate and --tls-key together; --tls-client-root goes with both")
    return None
