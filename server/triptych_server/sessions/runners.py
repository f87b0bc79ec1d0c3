"""A pool of runners: copies of a loaded network, each for one row at a time; proved when opened, lent out, left out when lost."""

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from triptych_server.errors import DeviceError, InferenceError, RunnerLostError
from triptych_server.models.convert.record import Conversion

_logger = logging.getLogger(__name__)


class Runner(Protocol):
    """One loaded network, for one thread at a time."""

    def infer(self, row: NDArray[Any], outputs: Sequence[NDArray[np.float32]]) -> None:
        """Run one row [1,...] and copy what the network gives into `outputs`, of the recorded shapes without the batch.

        InferenceError; RunnerLostError when it will not run again.
        """
        ...

    def close(self) -> None:
        """Free it."""
        ...


AnyRunner = TypeVar("AnyRunner", bound=Runner)


def open_runners(conversion: Conversion, makers: Iterable[Callable[[], AnyRunner]]) -> list[AnyRunner]:
    """Make the runners, and let each see one black picture: a device that takes no work is told before anyone waits for it, and what is
    tuned or compiled at the first run is done. DeviceError; none is left open then."""
    black = np.zeros(conversion.input.shape, np.float32 if conversion.mean else conversion.input.dtype)
    seen = [np.empty(output.shape[1:], np.float32) for output in conversion.outputs]
    runners = list[AnyRunner]()
    try:
        for make in makers:
            runners.append(make())
            runners[-1].infer(black, seen)
    except (DeviceError, InferenceError) as error:
        for runner in runners:
            runner.close()
        if isinstance(error, InferenceError):
            raise DeviceError(f"the first run failed: {error}") from error
        raise
    return runners


class RunnerPool:
    """Runners for any number of threads. One that is lost is left out as long as there is another: it answers at once, and would draw
    the rows of all others to itself."""

    def __init__(self, model: str, runners: Sequence[Runner]) -> None:
        self._model, self._runners = model, runners
        self._idle: queue.SimpleQueue[Runner] = queue.SimpleQueue()
        for runner in runners:
            self._idle.put(runner)
        self._left, self._counting = len(runners), threading.Lock()

    def __len__(self) -> int:
        return len(self._runners)

    def infer(self, row: NDArray[Any], outputs: Sequence[NDArray[np.float32]]) -> None:
        """Wait for an idle runner, and run a row on it; on another one when it turns out to be lost. InferenceError."""
        while True:
            runner = self._idle.get()
            kept = True
            try:
                return runner.infer(row, outputs)
            except RunnerLostError:
                kept = self._is_last()
                if kept:
                    raise
                _logger.exception("%s goes on with %d of %d networks", self._model, self._left, len(self))
            finally:
                if kept:
                    self._idle.put(runner)

    def close(self) -> None:
        """Free the runners, none of which may be running."""
        for runner in self._runners:
            runner.close()

    def _is_last(self) -> bool:
        """Whether a lost runner is the only one left; if not, it is counted out."""
        with self._counting:
            if self._left == 1:
                return True
            self._left -= 1
            return False
