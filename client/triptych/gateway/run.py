"""An application on a socket: uvicorn with uvloop, until SIGINT or SIGTERM."""

import logging

import uvicorn
from starlette.applications import Starlette

KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep idle connections (Node: 4 s), so that it is they who close them, not we in the middle of a request."""
STOP_SECONDS = 10
"""For what is under way at the end."""


def run(app: Starlette, host: str, port: int, log_level: str = "info") -> None:
    """Serve until a signal ends it."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=log_level.upper())
    logging.getLogger("uvicorn.access").disabled = True  # the gateway's own lines say more
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        log_level=log_level,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    uvicorn.Server(config).run()
