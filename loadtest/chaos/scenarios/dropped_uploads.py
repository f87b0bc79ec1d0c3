"""Clients whose connection breaks in the middle of an upload: the others notice nothing."""

import socket
import struct

from loadtest.chaos.stage import Scenario, Stage, start_again

UPLOADS, BODY_BYTES, SENT_BYTES = 60, 8 << 20, 1 << 20


def begin_upload(port: int, sent: int) -> socket.socket:
    """A connection on which `sent` of BODY_BYTES announced bytes have been sent, as a photo in Triton's binary form."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    head = "POST /v2/models/search_image/infer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
    head += f"Inference-Header-Content-Length: 0\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
    connection.sendall(head.encode() + bytes(sent))
    return connection


def act(stage: Stage) -> None:
    """Most are reset, as when a phone leaves the network; some are closed in order."""
    for number in range(UPLOADS):
        with begin_upload(stage.server.http_port, SENT_BYTES) as connection:
            if number % 4:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stage.go_on(0.02)


SCENARIO = Scenario("dropped uploads", act, start_again, short=True)
