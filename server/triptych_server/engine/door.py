"""A Unix socket of the engine's, one question at a time: the name of a model in, why it cannot be loaded out, or that it is ready."""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from triptych_server.errors import EngineError
from triptych_server.serving.idle_models import READY, receive, send

READ_SECONDS, AGAIN_SECONDS = 10.0, 1.0
_logger = logging.getLogger(__name__)


class Door:
    """Listens from `open` to `close`; `load` makes a model ready, or says why it cannot be: nothing once it is."""

    def __init__(self, path: Path, load: Callable[[str], str]) -> None:
        self._path = path
        self._load = load
        self._listener = socket.socket(socket.AF_UNIX)
        self._caller: socket.socket | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="door", daemon=True)

    def open(self) -> None:
        """EngineError where there can be no socket."""
        try:
            self._listener.bind(str(self._path))
            self._listener.listen()
        except OSError as error:
            self._listener.close()
            raise EngineError(f"no socket can be made at {self._path} ({error}); name a folder with a short path by TMPDIR") from None
        self._thread.start()

    def close(self) -> None:
        """Hang up; nothing is waited for."""
        self._closed.set()
        for each in (self._listener, self._caller):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError as error:
                if self._closed.wait(AGAIN_SECONDS):
                    return
                _logger.warning("idle models cannot be asked for just now: %s", error)  # no descriptor is free
                continue
            with caller:
                self._caller = caller
                try:
                    caller.settimeout(READ_SECONDS)
                    send(caller, self._load(receive(caller)) or READY)
                except Exception as error:  # it hung up, or whatever else: the next one is to be heard
                    _logger.warning("a wish for a model was not answered: %s", error)
                self._caller = None
