"""How a compiled OpenVINO model runs batches: whole ones in one request, or row by row where OpenVINO gathers rows by itself."""

import contextlib
import queue
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from triptych_server.errors import ConfigError, DeviceError
from triptych_server.sessions.protocol import Arrays


class WholeBatches:
    """Batches of any size, without copying inputs or outputs. `concurrency` is the device's optimal number of requests plus one that
    waits its turn inside the runtime, so that no stream idles while Python stacks the next batch and answers the last."""

    def __init__(self, compiled: Any, optimal: int) -> None:
        self.concurrency = optimal + 1
        self._compiled = compiled
        self._idle = _Idle(compiled, self.concurrency)

    @contextmanager
    def run(self, feeds: Arrays) -> Iterator[Arrays]:
        """Outputs are views of the infer request's memory."""
        request = self._idle.take()
        try:
            _feed(request, feeds)
            request.infer()
            yield {port.any_name: request.get_tensor(port).data for port in self._compiled.outputs}
        finally:
            self._idle.give_back(request)

    def close(self) -> None:
        """Drop the infer requests and the model."""
        self._idle.close()
        del self._compiled


class GatheredRows:
    """A model of static batch 1 on BATCH:DEVICE(N): each row is an asynchronous request, and OpenVINO runs N of them, of one caller or of
    several, as one batch. `concurrency` lets callers with single rows fill such a batch.

    DeviceError when OpenVINO would run one row after the other, which it else does without a word.
    """

    def __init__(self, compiled: Any, name: str, rows: int, optimal: int) -> None:
        if optimal < rows:
            raise DeviceError(
                f"{name}: batches of {rows} were asked for, but OpenVINO would keep {optimal} requests and never fill one; "
                "take another device or a smaller N, or TARGET_DEVICE without BATCH"
            )
        self.concurrency = optimal
        self._compiled = compiled
        self._idle = _Idle(compiled, optimal + rows)  # one batch computes while the next one gathers

    @contextmanager
    def run(self, feeds: Arrays) -> Iterator[Arrays]:
        """The outputs of all rows, in their order; copies."""
        feeds = {name: np.ascontiguousarray(array) for name, array in feeds.items()}  # rows of these are shared with OpenVINO
        rows = len(next(iter(feeds.values())))
        outputs = {port.any_name: np.empty((rows, *port.shape[1:]), port.element_type.to_dtype()) for port in self._compiled.outputs}
        started: deque[tuple[int, Any]] = deque()
        try:
            for row in range(rows):
                while (request := self._idle.take(wait=not started)) is None:  # who holds requests must not wait for those of others
                    self._finish(*started.popleft(), outputs)
                started.append((row, request))
                _feed(request, {name: array[row : row + 1] for name, array in feeds.items()})
                request.start_async()
            while started:
                self._finish(*started.popleft(), outputs)
        finally:
            for _, request in started:  # after an error: their results are nobody's, but they must end before others take them
                with contextlib.suppress(RuntimeError):
                    request.wait()
                self._idle.give_back(request)
        yield outputs

    def close(self) -> None:
        """Drop the infer requests and the model."""
        self._idle.close()
        del self._compiled

    def _finish(self, row: int, request: Any, outputs: Arrays) -> None:
        try:
            request.wait()
            for name, array in outputs.items():
                array[row] = request.get_tensor(name).data[0]
        finally:
            self._idle.give_back(request)


def fix_to_one_row(model: Any, name: str) -> None:
    """Set the batch axis of a graph to 1, which auto-batching wants. ConfigError where that axis is not a free one."""
    fixed = [port.any_name for port in model.inputs if not port.partial_shape[0].is_dynamic]
    if fixed:
        raise ConfigError(
            f"{name}: TARGET_DEVICE BATCH wants a graph with a dynamic batch axis, and that of {', '.join(fixed)} is fixed; "
            "`triptych models import` makes it dynamic"
        )
    model.reshape({port.any_name: [1, *list(port.partial_shape)[1:]] for port in model.inputs})


class _Idle:
    """Infer requests that nobody uses."""

    def __init__(self, compiled: Any, count: int) -> None:
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(count):
            self._requests.put(compiled.create_infer_request())

    def take(self, *, wait: bool = True) -> Any:
        """One of them; None when there is none and the caller does not wait."""
        try:
            return self._requests.get(block=wait)
        except queue.Empty:
            return None

    def give_back(self, request: Any) -> None:
        self._requests.put(request)

    def close(self) -> None:
        while self.take(wait=False) is not None:
            pass


def _feed(request: Any, feeds: Arrays) -> None:
    from openvino import Tensor

    for name, array in feeds.items():
        request.set_tensor(name, Tensor(np.ascontiguousarray(array), shared_memory=True))
