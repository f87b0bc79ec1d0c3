"""The certificate that the gateway shows, read again when its files change: authorities renew them every few weeks."""

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.errors import InvalidInput

_log = logging.getLogger("triptych.gateway")


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files. With `client_root`, callers must show a certificate that this authority signed (mTLS). Raises InvalidInput."""

    chain: Path
    private_key: Path
    client_root: Path | None = None

    def __post_init__(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._load(context)
        if self.client_root is not None:
            try:
                context.load_verify_locations(self.client_root)
            except OSError as error:
                raise InvalidInput(f"TLS: {self.client_root} cannot be used: {error.strerror or error}") from None

    @property
    def options(self) -> dict[str, Any]:
        """Of uvicorn."""
        pair = {"ssl_certfile": self.chain, "ssl_keyfile": self.private_key}
        return pair if self.client_root is None else {**pair, "ssl_ca_certs": str(self.client_root), "ssl_cert_reqs": ssl.CERT_REQUIRED}

    def load(self, context: ssl.SSLContext) -> None:
        """For connections that come later. Raises InvalidInput, and the context stays as it was."""
        self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))  # openssl takes a certificate before it looks at the key
        self._load(context)

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self.chain, self.private_key, password=lambda: "")  # or openssl would ask at the terminal
        except OSError as error:  # ssl.SSLError is one
            raise InvalidInput(f"TLS: {self.chain} and {self.private_key} cannot be used: {error.strerror or error}") from None

    def state(self) -> tuple[int, ...]:
        """Changes when the files do."""
        return tuple(file.stat().st_mtime_ns for file in (self.chain, self.private_key) if file.exists())


class Renewal:
    """Looks at the files when told to, and gives a context what is new."""

    def __init__(self, certificate: Certificate, context: ssl.SSLContext) -> None:
        self._certificate, self._context = certificate, context
        self._state = certificate.state()

    def look(self) -> None:
        """A pair that does not fit, as between the writing of the two, is told, and the old one stays."""
        if (state := self._certificate.state()) == self._state:
            return
        self._state = state
        try:
            self._certificate.load(self._context)
        except InvalidInput as error:
            _log.error("the certificate in use stays: %s", error)
        else:
            _log.info("the certificate was renewed")
