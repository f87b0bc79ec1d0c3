"""Keep a started engine well: what the watch finds is mended by model control, then by a new Triton, and given up loudly in the end."""

import contextlib
import logging
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from triptych_server.engine.backoff import Backoff
from triptych_server.engine.control import LOAD_SECONDS
from triptych_server.engine.heals import Heals
from triptych_server.engine.servable import in_order
from triptych_server.engine.trouble import Reason, Trouble
from triptych_server.engine.unloading import ON_DEMAND
from triptych_server.engine.unready import Unready
from triptych_server.engine.watch import LOOK_SECONDS, Patience
from triptych_server.errors import EngineError, TriptychServerError

if TYPE_CHECKING:
    from triptych_server.engine.engine import Engine

MODEL_HEALS = 3
"""How often within ten minutes a model is loaded anew; then the server is started anew."""
RESTARTS = 5
"""How often within ten minutes the server is; then it is given up."""
OWED_RESTARTS = 2
"""How often of these for nothing but requests that died with their process: then the model alone is loaded anew, and they get no answer."""
_logger = logging.getLogger(__name__)


class Healing:
    """Over a started engine; `run` blocks. Its times are those of `patience`."""

    def __init__(self, engine: "Engine", patience: Patience | None = None) -> None:
        self.heals = Heals()
        self._engine, self._patience = engine, patience or Patience()
        self._restarts, self._owed = Backoff(RESTARTS), Backoff(OWED_RESTARTS)
        self._models: dict[str, Backoff] = defaultdict(lambda: Backoff(MODEL_HEALS))
        self._told: set[tuple[str, Reason]] = set()
        self._begin()

    def run(self, ended: Callable[[], bool] = lambda: False) -> None:
        """Watch and mend until `ended`. EngineError when it is given up; nothing runs then."""
        while not ended():
            self.step()
            time.sleep(LOOK_SECONDS)

    def step(self) -> None:
        """One look, and what it asks for. EngineError when it is given up."""
        troubles = self._watch.look()
        if any(trouble.reason is Reason.LOST for trouble in troubles) and self._engine.is_changing():
            troubles = [trouble for trouble in troubles if trouble.reason is not Reason.LOST]  # the change unloads and loads by itself
        self._tell(troubles)
        self.heals.ready = not troubles
        if not troubles:
            self._unready.lower(next(iter(sorted(self._engine.wanted.names())), ON_DEMAND))
        elif not troubles[0].model:
            self._restart(troubles[0])
        else:
            self._unready.raise_(str(troubles[0]))
            self._mend_models(troubles)

    def _begin(self) -> None:
        """With a Triton that has just been started."""
        self._watch = self._engine.new_watch(self._patience)
        self._unready = Unready(self._engine.control, self._engine.staging)

    def _tell(self, troubles: list[Trouble]) -> None:
        now = {(trouble.model, trouble.reason) for trouble in troubles}
        for trouble in troubles:
            if (trouble.model, trouble.reason) not in self._told:
                _logger.error("%s", trouble)
        self._told = now

    def _mend_models(self, troubles: list[Trouble]) -> None:
        lost = {trouble.model for trouble in troubles if trouble.reason is Reason.LOST}
        there = self._engine.wanted.forget_removed(lost) if lost else set()
        by_model = {trouble.model: trouble for trouble in troubles if trouble.model in there or trouble.reason is not Reason.LOST}
        for model in in_order(self._engine.options.repository, by_model):
            trouble, attempts = by_model[model], self._models[model]
            if attempts.exhausted:
                self._restart(trouble)
                return
            if attempts.pause > 0:
                continue
            attempts.attempt()
            if found := self._mend(trouble):
                self._restart(found)
                return

    def _mend(self, trouble: Trouble) -> Trouble | None:
        """By model control; gives what is wrong with the server when that does not do: when it ends meanwhile, or a dead process owed
        answers. Those Triton will never give; when it ends, the callers hear of it at once."""
        if self._restart_is_owed(trouble.model):
            return trouble
        began = time.monotonic()
        pool = ThreadPoolExecutor(1, thread_name_prefix="heal")
        mending = pool.submit(self._load, trouble)
        pool.shutdown(wait=False)
        while not wait([mending], 0.1).done:
            self._watch.know_stubs()
            if found := self._watch.server():
                self._tell([found])
                return found
        error = mending.exception()
        if error is not None and not isinstance(error, (TriptychServerError, OSError)):
            raise error
        if self._restart_is_owed(trouble.model):  # one that hung, and was killed just now
            return trouble
        self._watch.mended(trouble.model)
        self.heals.count(trouble, mended=error is None)
        if error is None:
            _logger.warning("%s serves again, %.1f s after it was found (%s)", trouble.model, time.monotonic() - began, trouble.reason)
        else:
            _logger.error("%s could not be loaded anew: %s", trouble.model, error)
        return None

    def _restart_is_owed(self, model: str) -> bool:
        """Whether callers wait for a dead process of the model. A busy one that runs out of memory again and again must not have the
        server given up, and everybody else's requests end with each."""
        if not self._engine.left_unanswered(model):
            return False
        if self._owed.exhausted:
            _logger.error(
                "%s took requests with it; they are left to their callers' time limits, for the server was just started anew", model
            )
            return False
        self._owed.attempt()
        return True

    def _load(self, trouble: Trouble) -> None:
        if trouble.reason is Reason.LOST:
            self._engine.load(trouble.model, LOAD_SECONDS)
            return
        if trouble.reason is not Reason.STUB_DIED:
            for stub in self._watch.stubs_of(trouble.model):  # it would never end by itself
                with contextlib.suppress(ProcessLookupError):
                    os.kill(stub.pid, signal.SIGKILL)
        self._engine.control.renew(trouble.model, LOAD_SECONDS)

    def _restart(self, trouble: Trouble) -> None:
        """A new Triton at the same addresses, after a pause that grows. EngineError after too many."""
        while True:
            if self._restarts.exhausted:
                raise EngineError(
                    f"given up: Triton was started anew {RESTARTS} times within {self._restarts.window / 60:.0f} minutes, "
                    f"and still: {trouble}; its log: {self._engine.log_file}"
                )
            time.sleep(self._restarts.pause)
            self._restarts.attempt()
            began = time.monotonic()
            _logger.error("starting Triton anew (%d of %d within ten minutes): %s", self._restarts.attempts, RESTARTS, trouble)
            try:
                self._engine.restart()
            except (TriptychServerError, OSError) as error:
                self.heals.count(trouble, mended=False)
                _logger.error("it did not start: %s", error)
                continue
            self.heals.count(trouble, mended=True)
            _logger.warning("Triton serves again, %.1f s after the start", time.monotonic() - began)
            self._models.clear()
            self._begin()
            return
