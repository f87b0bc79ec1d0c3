"""An application on a socket: uvicorn with uvloop, until SIGINT or SIGTERM."""

import ctypes
import logging
import socket
import warnings
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from triptych.gateway.certificate import Certificate, Renewal
from triptych.gateway.protocol import LimitedProtocol

KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep idle connections (Node: 4 s), so that it is they who close them, not we in the middle of a request."""
STOP_SECONDS = 10
"""For what is under way at the end."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
_KEPT_BYTES, _LARGEST_MMAP = 128 << 20, 32 << 20


def run(
    app: Starlette,
    host: str,
    port: int,
    log_level: str = "info",
    certificate: Certificate | None = None,
    listening: Callable[[int], None] = lambda port: None,
) -> None:
    """Serve until a signal ends it; HTTPS with a `certificate`. `listening` is called with the port, once it does."""
    _keep_memory()
    warnings.simplefilter("ignore")  # Pillow's hold what strangers sent; each new one would be logged, and kept for ever
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=log_level.upper())
    logging.getLogger("uvicorn.access").disabled = True  # the gateway's own lines say more
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=LimitedProtocol,
        ws="none",
        log_config=None,
        log_level=log_level,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        **(certificate.options if certificate else {}),
    )
    _Server(config, certificate, listening).run()


class _Server(uvicorn.Server):
    """Tells when it listens, and looks once a second whether the certificate was renewed."""

    def __init__(self, config: uvicorn.Config, certificate: Certificate | None, listening: Callable[[int], None]) -> None:
        super().__init__(config)
        config.load()
        self._renewal = Renewal(certificate, config.ssl) if certificate and config.ssl else None
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listening(self.servers[0].sockets[0].getsockname()[1])

    async def on_tick(self, counter: int) -> bool:
        if self._renewal is not None and counter % 10 == 0:
            self._renewal.look()
        return await super().on_tick(counter)


def _keep_memory() -> None:
    """Let glibc keep what a photo took for the next one: handing the pages back and getting them anew is a quarter of the work."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
