"""Watch a Triton that somebody else has started, through its HTTP APIs alone: heal models where the control API is open, else give up."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from triptych_server.engine import http_api
from triptych_server.engine.backoff import Backoff
from triptych_server.engine.control import LOAD_SECONDS, THERE, ControlApi
from triptych_server.engine.healing import MODEL_HEALS
from triptych_server.engine.heals import Heals
from triptych_server.engine.progress import Progress, loads
from triptych_server.engine.trouble import Reason, Trouble
from triptych_server.errors import EngineError

LOOK_SECONDS = 1.0
_TIMEOUT = 5.0
_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Sidecar:
    """`heal`: whether models may be loaded; it needs Triton's explicit model control. In seconds: a server that was ready once and answers
    nothing for `silent` is given up; a model that has requests and finishes none for `hang` hangs, for nobody sees from here whether it
    uses a CPU."""

    control: ControlApi
    metrics_url: str
    heal: bool = False
    silent: float = 30.0
    hang: float = 600.0
    heals: Heals = field(default_factory=Heals)
    _wanted: set[str] = field(default_factory=set, init=False)
    _before: set[Trouble] = field(default_factory=set, init=False)
    _progress: Progress = field(default_factory=Progress, init=False)
    _models: dict[str, Backoff] = field(default_factory=lambda: defaultdict(lambda: Backoff(MODEL_HEALS)), init=False)
    _answered: float = field(default_factory=time.monotonic, init=False)

    def run(self, ended: Callable[[], bool] = lambda: False) -> None:
        """Watch until `ended`; EngineError for what is not, or cannot be, healed here."""
        while not ended():
            self.step()
            time.sleep(LOOK_SECONDS)

    def step(self) -> None:
        """One look; what two have found is healed, or an EngineError."""
        now = set(self.look())
        found, self._before = now & self._before, now
        self.heals.ready = not now
        for trouble in sorted(found, key=lambda trouble: trouble.model):
            attempts = self._models[trouble.model]
            if not self.heal or not trouble.model or attempts.exhausted:
                raise EngineError(f"Triton at {self.control.url} is to be started anew: {trouble}")
            if attempts.pause == 0:
                attempts.attempt()
                self._mend(trouble)

    def look(self) -> list[Trouble]:
        """What is wrong now."""
        try:
            models = self.control.models()
        except EngineError as error:
            if self._wanted and time.monotonic() > self._answered + self.silent:
                return [Trouble(Reason.SERVER_HUNG, "", "it does not answer")]
            _logger.debug("%s", error)
            return []
        self._answered = time.monotonic()
        states = {name: model.state for name, model in models.items()}
        self._wanted |= {name for name, state in states.items() if state == "READY"}
        self._wanted -= {name for name, model in models.items() if model.rests}  # as idle ones are, and what a change of models replaces
        lost = {name for name in self._wanted if states.get(name) not in THERE}
        troubles = [
            Trouble(Reason.LOST, name, "it was loaded, and is not any more, though nobody has unloaded it") for name in sorted(lost)
        ]
        ready = [name for name in sorted(self._wanted - lost) if states[name] == "READY"]
        troubles += [Trouble(Reason.STUB_DIED, name, "Triton says that it is not ready") for name in ready if not self._is_ready(name)]
        return troubles + [Trouble(Reason.HUNG, name, "it has requests, and finishes none") for name in self._hung() if name in ready]

    def _is_ready(self, model: str) -> bool:
        """Triton from 25.12 on answers no for a model whose process has died; earlier ones do not know."""
        return http_api.status(f"{self.control.url}/v2/models/{model}/ready", _TIMEOUT) in (HTTPStatus.OK, 0)

    def _hung(self) -> list[str]:
        try:
            page = http_api.text(self.metrics_url, {}, _TIMEOUT)
        except OSError:
            return []
        standing = self._progress.standing(loads(page, frozenset()))  # whose processes live is not known here
        return [model for model, seconds in standing.items() if seconds > self.hang]

    def _mend(self, trouble: Trouble) -> None:
        _logger.error("%s", trouble)
        began = time.monotonic()
        try:
            if trouble.reason is Reason.LOST:
                self.control.load(trouble.model, timeout=LOAD_SECONDS)
            else:
                self.control.renew(trouble.model, LOAD_SECONDS)
        except EngineError as error:
            _logger.error("%s could not be loaded anew: %s", trouble.model, error)
            self.heals.count(trouble, mended=False)
            return
        self._progress.forget(trouble.model)
        self.heals.count(trouble, mended=True)
        _logger.warning("%s serves again, %.1f s after it was found (%s)", trouble.model, time.monotonic() - began, trouble.reason)
