"""A Triton Python model around another model: what its requests need from that one is gathered across all that arrive together.

`execute` reads the requests and returns, so that Triton goes on collecting; those that need nothing are answered there. The others wait
in a bounded queue of ours. Two workers take what waits: one makes rows while the other's are at the inner model.
"""

from __future__ import annotations  # Triton adds its classes to pb_utils only after this import

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import triton_python_backend_utils as pb_utils

from triptych_server.errors import OverloadedError
from triptych_server.serving import responses
from triptych_server.serving.gathering import Call, Rows, call_in_chunks
from triptych_server.serving.instance import Instance
from triptych_server.sessions.protocol import Arrays

Item = TypeVar("Item")
_WORKERS = 2


class Steps(Protocol[Item]):
    """How one request is answered. Each step raises TriptychServerError for what the caller did wrong."""

    def take(self, inputs: Arrays) -> Item | Arrays:
        """Read a request, quickly; its arrays are Triton's memory, so keep copies. A mapping is the answer already."""
        ...

    def rows(self, item: Item) -> Rows:
        """What the inner model shall see, at least one row. Called from several threads."""
        ...

    def answer(self, item: Item, answers: Rows) -> Arrays:
        """The outputs, from the inner model's answers to the rows."""
        ...


@dataclass(frozen=True, slots=True)
class Gathering(Generic[Item]):
    """The steps of a request, the call of the inner model, and how many rows it takes at once."""

    steps: Steps[Item]
    call: Call
    chunk: int


Waiting = tuple["pb_utils.InferenceRequest", Any]


class GatheredModel(Generic[Item]):
    """Base of such models; a subclass says in `prepare` what is gathered.

    Parameters read here: `threads` (default 1) make rows, `max_waiting` (default 64) requests wait; the others are the subclass's.
    """

    def prepare(self, instance: Instance, parameters: Mapping[str, str]) -> Gathering[Item]:
        """Build the steps from the model's parameters."""
        raise NotImplementedError

    def initialize(self, args: Mapping[str, str]) -> None:
        """Prepare; raises ConfigError, which Triton shows as the reason why the model is not loaded."""
        self._instance = Instance.from_args(args)
        threads = self._instance.parameters.integer("threads", 1)
        self._max_waiting = self._instance.parameters.integer("max_waiting", 64)
        own = {key: value for key, value in self._instance.parameters.values.items() if key not in {"threads", "max_waiting"}}
        self._gathering = self.prepare(self._instance, own)
        self._row_makers = ThreadPoolExecutor(threads, thread_name_prefix=f"{self._instance.model}_rows")
        self._waiting: deque[Waiting] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._workers = [threading.Thread(target=self._work, name=f"{self._instance.model}_{i}", daemon=True) for i in range(_WORKERS)]
        for worker in self._workers:
            worker.start()

    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> None:
        """Take over all requests; every one is answered through its response sender."""
        taken: list[Waiting] = []
        for request in requests:
            item = self._guarded(request, self._take, request)
            if item is not None:
                taken.append((request, item))
        with self._changed:
            free = max(self._max_waiting - len(self._waiting), 0)
            self._waiting.extend(taken[:free])
            self._changed.notify_all()
        for request, _ in taken[free:]:
            full = OverloadedError(f"{self._instance.model} has {self._max_waiting} requests waiting already; ask again later")
            responses.send(request, responses.failure(full, self._instance.model))

    def finalize(self) -> None:
        """Answer what waits, then stop the threads."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for worker in self._workers:
            worker.join()
        self._row_makers.shutdown(wait=True)

    def _take(self, request: pb_utils.InferenceRequest) -> Item | None:
        """The item of a request, None when it has its answer."""
        inputs: dict[str, Any] = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        item = self._gathering.steps.take(inputs)
        if not isinstance(item, Mapping):
            return item
        responses.send(request, responses.success(item))
        return None

    def _work(self) -> None:
        while batch := self._next():
            try:
                self._run(batch)
            except Exception as error:  # the worker lives on; who has an answer already keeps it
                for request, _ in batch:
                    responses.send(request, responses.failure(error, self._instance.model))

    def _next(self) -> list[Waiting]:
        """All that waits, up to a batch; empty when the model is being closed and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), self._instance.max_batch_size))]

    def _run(self, batch: Sequence[Waiting]) -> None:
        made = self._row_makers.map(lambda waiting: self._guarded(waiting[0], self._rows, *waiting), batch)
        ready = [(waiting, rows) for waiting, rows in zip(batch, made, strict=True) if rows is not None]
        if not ready:
            return
        answers = call_in_chunks([rows for _, rows in ready], self._gathering.call, self._gathering.chunk)
        for ((request, item), _), answer in zip(ready, answers, strict=True):
            self._guarded(request, self._send, request, item, answer)

    def _rows(self, request: pb_utils.InferenceRequest, item: Item) -> Rows | None:
        """The rows of a request; None, with the request answered, when its client has gone.

        The one place that asks for it, before the costly part: a question is a round trip to the server, through memory that the next
        question about the same request frees.
        """
        if not request.is_cancelled():
            return self._gathering.steps.rows(item)
        responses.send(request, responses.cancelled())
        return None

    def _send(self, request: pb_utils.InferenceRequest, item: Item, answer: Rows | Exception) -> None:
        if isinstance(answer, Exception):
            raise answer
        responses.send(request, responses.success(self._gathering.steps.answer(item, answer)))

    def _guarded(self, request: pb_utils.InferenceRequest, step: Callable[..., Any], *of: Any) -> Any:
        """The result of a step; None, with the request answered, when the step raised."""
        try:
            return step(*of)
        except Exception as error:
            responses.send(request, responses.failure(error, self._instance.model))
            return None
