"""Look at a running Triton: process, log, stubs, repository index and metrics in, what is wrong with it out."""

import contextlib
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from triptych_server.engine import http_api
from triptych_server.engine.control import THERE, ControlApi
from triptych_server.engine.log import TritonLog
from triptych_server.engine.progress import Progress, loads
from triptych_server.engine.stubs import Stub, Stubs
from triptych_server.engine.trouble import Reason, Trouble
from triptych_server.engine.wanted import Wanted
from triptych_server.errors import EngineError

LOOK_SECONDS = 0.5
INDEX_SECONDS = 1.0
METRICS_SECONDS = 2.0
_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds. `silent`: a server that answers nothing. `asleep`: a model with requests that does nothing and uses no CPU: an
    accelerator may compute so long without it, a 100-Mpx photo or a queue of 64 takes less. `busy`: the same, but it uses CPU: TensorRT
    and OpenVINO build an engine for minutes in a first run."""

    silent: float = 30.0
    asleep: float = 30.0
    busy: float = 600.0

    def __post_init__(self) -> None:
        if not 0 < self.asleep <= self.busy or not self.silent > 0:
            raise EngineError(f"patience is {self}; expected positive seconds, and no less for a busy model than for one asleep")


class Watch:
    """Over one Triton, whose process we have started; make a new one for the next."""

    def __init__(
        self,
        process: subprocess.Popen[str],
        stubs: Stubs,
        log: TritonLog,
        control: ControlApi,
        metrics_url: str,
        wanted: Wanted,
        patience: Patience,
    ) -> None:
        self._process, self._log, self._control, self._metrics_url = process, log, control, metrics_url
        self._wanted, self._patience = wanted, patience
        self._stubs, self._progress = stubs, Progress()
        self._stopped: set[Stub] = set()
        self._lost: set[str] = set()
        self._missing: set[str] = set()
        self._hung: dict[str, float] = {}
        self._cpu: dict[str, tuple[float, float]] = {}
        self._answered = self._index_at = self._metrics_at = time.monotonic()

    def server(self) -> Trouble | None:
        """What is wrong with the server itself; cheap while it answers. It may be all that is asked for long, while a model is loaded."""
        if (code := self._process.poll()) is not None:
            return Trouble(Reason.SERVER_DIED, "", f"it ended with code {code}")
        if self._log.crashed:  # it may hang in its own handler of the signal for ever
            return Trouble(Reason.SERVER_CRASHED, "", f"its log says: {self._log.crashed}")
        if (silent := time.monotonic() - self._answered) > self._patience.silent and self._states() is None:
            return Trouble(Reason.SERVER_HUNG, "", f"it has answered nothing for {silent:.0f} s")
        return None

    def look(self) -> list[Trouble]:
        """Everything that is wrong now: one of the server, or one for each model."""
        if found := self.server():
            return [found]
        wanted = self._wanted.names()
        seen = self._stubs.look()
        troubles = {stub.model: Trouble(Reason.STUB_DIED, stub.model, f"{stub.instance} {how}") for stub, how in seen.dead.items()}
        for stub in self._stopped & set(seen.stopped):  # not just for a moment
            troubles.setdefault(stub.model, Trouble(Reason.STUB_STOPPED, stub.model, f"{stub.instance} was stopped by a signal"))
        self._stopped = set(seen.stopped)
        for model in self._lost_models(wanted):
            troubles.setdefault(model, Trouble(Reason.LOST, model, "it should be loaded, and is not"))
        for model, seconds in self._hung_models(seen.living).items():
            detail = f"it has requests, and has done nothing for {seconds:.0f} s"
            troubles.setdefault(model, Trouble(Reason.HUNG, model, detail))
        return [trouble for model, trouble in sorted(troubles.items()) if model in wanted]

    def know_stubs(self) -> None:
        """Look at the processes alone: one that begins and dies between two looks would never be missed."""
        self._stubs.look()

    def stubs_of(self, model: str) -> list[Stub]:
        """The living processes of a model."""
        return [stub for stub in self._stubs.look().living if stub.model == model]

    def mended(self, model: str) -> None:
        """What was known of it is of the past; whatever is wrong with it still will be found again."""
        self._progress.forget(model)
        self._hung.pop(model, None)
        self._lost.discard(model)

    def _lost_models(self, wanted: set[str]) -> set[str]:
        """Those that two looks at the index have missed."""
        if time.monotonic() < self._index_at:
            return self._lost
        self._index_at = time.monotonic() + INDEX_SECONDS
        if (states := self._states()) is None:  # `server` counts the time
            return self._lost
        self._wanted.seen({name for name, state in states.items() if state == "READY"})
        missing = {name for name in wanted if states.get(name) not in THERE}
        self._lost, self._missing = missing & self._missing, missing
        return self._lost

    def _states(self) -> dict[str, str] | None:
        """Of every model; None when the server does not answer."""
        try:
            states = self._control.states()
        except EngineError:
            return None
        self._answered = time.monotonic()
        return states

    def _hung_models(self, living: tuple[Stub, ...]) -> Mapping[str, float]:
        if time.monotonic() < self._metrics_at:
            return self._hung
        self._metrics_at = time.monotonic() + METRICS_SECONDS
        try:
            page = http_api.text(self._metrics_url, {}, _TIMEOUT)
        except OSError:
            return self._hung
        standing = self._progress.standing(loads(page, {stub.pid for stub in living}))
        self._hung = {model: seconds for model, seconds in standing.items() if seconds > self._limit(model, seconds, living)}
        return self._hung

    def _limit(self, model: str, seconds: float, living: tuple[Stub, ...]) -> float:
        """How long it may stand still; whether it is asleep is measured over the last `asleep` seconds."""
        own = [stub for stub in living if stub.model == model]
        if not own:  # a native backend, which Triton itself runs, or an ensemble: its steps tell
            return self._patience.busy
        used, now = 0.0, time.monotonic()
        for stub in own:
            with contextlib.suppress(psutil.Error):
                times = psutil.Process(stub.pid).cpu_times()
                used += times.user + times.system
        since, before = self._cpu.get(model, (now, used))
        if seconds < METRICS_SECONDS or used - before > 0.03 * (now - since) + 0.05 or model not in self._cpu:
            since, before = now, used
        self._cpu[model] = (since, before)
        return self._patience.asleep if now - since > self._patience.asleep - 2 * METRICS_SECONDS else self._patience.busy
