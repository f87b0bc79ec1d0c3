"""uvicorn's HTTP protocol with limits that it has none of: the size of a request's head, the time that it takes, and open connections."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 64 << 10
"""Of a request's line and headers, and of all else that is no body: trailers, extensions of chunks."""
HEAD_SECONDS = 30.0
MOST_CONNECTIONS = 1000
"""Above the requests at a time, below the 1024 descriptors that a process has by default."""
_REFUSAL = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class LimitedProtocol(HttpToolsProtocol):
    """Whatever comes in must soon be a whole head, or a piece of a body."""

    _moved = False
    _idle_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        else:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._moved = False
        super().data_received(data)
        if self._moved:
            self._idle_bytes = 0
            self._stop_timer()
            return
        self._idle_bytes += len(data)
        if self._idle_bytes > MOST_HEAD_BYTES:
            self.transport.write(_REFUSAL)
            self.transport.close()
        elif self._timer is None:
            self._start_timer()

    def on_headers_complete(self) -> None:
        self._moved = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._moved = True
        super().on_message_complete()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
