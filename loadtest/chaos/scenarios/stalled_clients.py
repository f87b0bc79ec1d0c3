"""Clients that stop in the middle of a body, or after a connection's first bytes, and stay: the others notice nothing."""

import contextlib
import socket

from loadtest.chaos.scenarios.dropped_uploads import begin_upload
from loadtest.chaos.stage import Scenario, Stage, start_again

CLIENTS, SECONDS = 40, 4.0  # several times as many as Triton has threads for HTTP
HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)  # and empty settings


def act(stage: Stage) -> None:
    """Half of them speak HTTP, half gRPC."""
    host, _, port = stage.server.address.rpartition(":")
    with contextlib.ExitStack() as connections:
        for _ in range(CLIENTS // 2):
            connections.enter_context(begin_upload(stage.server.http_port, 1000))
            silent = connections.enter_context(socket.create_connection((host, int(port)), timeout=10))
            silent.sendall(HTTP2_GREETING)
        stage.go_on(SECONDS)


SCENARIO = Scenario("stalled clients", act, start_again, short=True)
