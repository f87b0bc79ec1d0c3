"""What can be wrong with a running Triton, as the watch finds it."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """The word that log and metrics use."""

    STUB_DIED = "stub_died"
    STUB_STOPPED = "stub_stopped"
    HUNG = "hung"
    LOST = "lost"
    SERVER_DIED = "server_died"
    SERVER_CRASHED = "server_crashed"
    SERVER_HUNG = "server_hung"


@dataclass(frozen=True, slots=True)
class Trouble:
    """`model` is empty where the whole server is meant; `detail` is for people."""

    reason: Reason
    model: str
    detail: str

    def __str__(self) -> str:
        return f"{self.model or 'Triton'} ({self.reason}): {self.detail}"
