"""What the model `on_demand` knows of idle models: their configs, from a file that the engine writes; and how it asks for one.

The engine loads: it knows with which config, and loads and unloads one at a time. (Triton 2.51's own `pb_utils.load_model` never returns
from a load that fails.)
"""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from triptych_server.errors import OverloadedError

SECONDS = 1800.0
"""For an answer: the engine may be waiting for another model's last requests, and a load may compile."""
READY = "ready"
"""The engine's word for it; it has others for what went wrong, and none when it hangs up."""
_LONGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class IdleModels:
    """`folder`: of `on_demand`. `door`: the Unix socket that the engine listens on."""

    folder: Path
    door: Path

    def configs(self) -> dict[str, str]:
        """By model that was ever unloaded, its config as Triton has it, in JSON; some may have been loaded again."""
        try:
            found: dict[str, str] = json.loads((self.folder / "idle.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return found

    def add(self, configs: Mapping[str, str]) -> None:
        """Write more of them, whole or not at all. OSError when the disk is full."""
        new = self.folder / "idle.json.new"
        new.write_text(json.dumps({**self.configs(), **configs}), encoding="utf-8")
        new.replace(self.folder / "idle.json")

    def load(self, model: str) -> None:
        """Ask the engine for a model; it is ready on return. OverloadedError where it cannot be had now."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(SECONDS)
                connection.connect(str(self.door))
                send(connection, model)
                problem = receive(connection)
        except OSError as error:
            problem = f"the engine did not answer ({error})"
        if problem != READY:
            problem = problem or "the engine hung up"
            raise OverloadedError(f"{model} is idle, and could not be loaded again: {problem}")


def send(connection: socket.socket, text: str) -> None:
    """One message, the only one of its side."""
    connection.sendall(text.encode()[:_LONGEST])
    connection.shutdown(socket.SHUT_WR)


def receive(connection: socket.socket) -> str:
    """The other side's message. OSError where it broke off."""
    received = b""
    while piece := connection.recv(_LONGEST):
        received += piece
        if len(received) > _LONGEST:
            raise OSError("the message is too long")
    return received.decode(errors="replace")
