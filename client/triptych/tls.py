"""TLS options: which authority to trust, and which certificate to show."""

import ssl
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from triptych.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class TLS:
    """Certificates as PEM files; without `root_certificates` the well-known authorities are trusted.

    `certificate` and `private_key` belong together and are for servers that ask who the client is (mTLS).
    Raises InvalidInput for a file that is not there, or half a pair.
    """

    root_certificates: str | PathLike[str] | None = None
    certificate: str | PathLike[str] | None = None
    private_key: str | PathLike[str] | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.private_key is None):
            raise InvalidInput("TLS needs certificate and private_key together; only one of them was given")
        for name in ("root_certificates", "certificate", "private_key"):
            path = getattr(self, name)
            if path is not None and not Path(path).is_file():
                raise InvalidInput(f"TLS {name}: there is no file {path}")

    def context(self) -> ssl.SSLContext:
        """The same options for Python's `ssl`."""
        try:
            context = ssl.create_default_context(cafile=self.root_certificates)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.private_key)
        except ssl.SSLError as error:
            raise InvalidInput(f"TLS: the certificates cannot be used ({error.reason or error})") from None
        return context
