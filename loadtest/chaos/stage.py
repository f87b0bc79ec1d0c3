"""Where a scenario plays: the server, the moment of the fault, what was noted, and a rescuer in case the server does not heal itself."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from loadtest.chaos.server import Server
from loadtest.chaos.traffic import Traffic
from loadtest.questions import Fate

WELL_SECONDS = 2.0
"""So long nobody must have been told anything bad for a server to be well."""
POLL_SECONDS = 0.1
LOAD_SECONDS = 60.0
"""How long a model may take to be loaded; then Triton is taken for stuck."""


@dataclass(slots=True)
class Stage:
    """`rescue_after`: seconds after which the runner mends what the server has not."""

    server: Server
    traffic: Traffic
    rescue_after: float
    fault: float = field(default_factory=time.perf_counter)
    notes: list[str] = field(default_factory=list)

    def broken_now(self) -> None:
        """The fault happens now."""
        self.fault = time.perf_counter()

    def note(self, text: str) -> None:
        """For the report."""
        self.notes.append(text)

    def go_on(self, seconds: float) -> None:
        """Let the load run."""
        time.sleep(seconds)

    def is_well(self) -> bool:
        """Whether all kinds of questions have been answered rightly for WELL_SECONDS."""
        now = time.perf_counter()
        return now - self.fault > WELL_SECONDS and self.traffic.is_well(now - WELL_SECONDS)

    def heal(self, rescue: Callable[[], None], most: float) -> bool:
        """Wait until all is well, and mend it by `rescue`, once, when that takes longer than `rescue_after`; whether it ever was."""
        rescued = False
        while not self.is_well():
            waited = time.perf_counter() - self.fault
            if waited > most:
                return False
            if waited > self.rescue_after and not rescued:
                rescued = True
                self.note(f"mended from outside after {self.rescue_after:.0f} s")
                try:
                    rescue()
                except Exception as error:
                    self.note(f"could not be mended: {type(error).__name__}: {error}")
            time.sleep(POLL_SECONDS)
        return True


@dataclass(frozen=True, slots=True)
class Scenario:
    """`act` breaks something. Callers may hear what is `allowed`, for `within` seconds at most. `rescue` mends what the server does not
    heal itself; scenarios with `own_disks` fill the server's file systems."""

    name: str
    act: Callable[[Stage], None]
    rescue: Callable[[Stage], None]
    allowed: frozenset[Fate] = frozenset()
    within: float = 0.0
    own_disks: bool = False
    short: bool = False
    """Also part of the short form."""


def start_again(stage: Stage) -> None:
    """As a supervisor does: start what has ended, and what does not say that it is ready."""
    if stage.server.runs and not stage.server.is_ready():
        stage.note("Triton did not answer its health check; killed and started again")
        stage.server.kill()
    if not stage.server.runs:
        stage.server.start()
