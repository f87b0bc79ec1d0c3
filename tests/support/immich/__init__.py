"""Requests as Immich's server makes them (Node's fetch: a form of `entries`, then a bare Blob or a text), one file each, to be sent byte by byte.

Lines end in CR LF on the wire; @image@, @text@ and @length@ stand for what differs.
"""

import socket
from http.client import HTTPResponse
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent


class Answer(NamedTuple):
    """Status, content type and body of an answer."""

    status: int
    kind: str
    body: bytes


def recorded(name: str, image: bytes = b"", text: str = "") -> bytes:
    """The bytes of a request."""
    raw = (FOLDER / f"{name}.http").read_bytes().replace(b"\n", b"\r\n")
    head, _, body = raw.partition(b"\r\n\r\n")
    body = body.replace(b"@image@", image).replace(b"@text@", text.encode())
    return head.replace(b"@length@", str(len(body)).encode()) + b"\r\n\r\n" + body


def sent(port: int, request: bytes) -> Answer:
    """Its answer from a gateway on this machine."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        answer = HTTPResponse(connection)
        answer.begin()
        return Answer(answer.status, answer.headers["content-type"], answer.read())
