"""The certificates that Triton's gRPC shows, and of whose clients it wants one."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from triptych_server.errors import EngineError


@dataclass(frozen=True, slots=True)
class ServerTLS:
    """PEM files. With `client_authority`, clients must show a certificate that it signed (mTLS).

    Raises EngineError for a file that cannot be used, or a key of another certificate: Triton would not say so.
    """

    certificate: Path
    private_key: Path
    client_authority: Path | None = None

    def __post_init__(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.private_key, password=lambda: "")  # or openssl would ask at the terminal
            if self.client_authority is not None:
                context.load_verify_locations(self.client_authority)
        except OSError as error:  # ssl.SSLError is one
            files = ", ".join(str(file) for file in (self.certificate, self.private_key, self.client_authority) if file)
            raise EngineError(
                f"TLS: these files cannot be used ({error.strerror or error}): {files}; expected PEM, the key without a password"
            ) from None

    @property
    def arguments(self) -> list[str]:
        """Of tritonserver."""
        pair = [f"--grpc-server-cert={self.certificate.resolve()}", f"--grpc-server-key={self.private_key.resolve()}"]
        if self.client_authority is None:
            return ["--grpc-use-ssl=true", *pair]
        return ["--grpc-use-ssl=true", "--grpc-use-ssl-mutual=true", *pair, f"--grpc-root-cert={self.client_authority.resolve()}"]
