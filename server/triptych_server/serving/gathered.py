"""A Triton Python model around another model: what its requests need from that one is gathered across all that arrive together.

`execute` reads the requests and returns; those that need nothing are answered there. The others wait in a bounded queue of ours.
Two workers take what waits: one makes rows while the other's are at the inner model.
"""

from __future__ import annotations  # Triton adds its classes to pb_utils only after this import

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, Protocol

import triton_python_backend_utils as pb_utils

from triptych_server.serving import responses
from triptych_server.serving.gathering import Call, Rows, call_in_chunks
from triptych_server.serving.instance import Instance
from triptych_server.serving.intake import Intake, Read
from triptych_server.serving.niceness import be_nice
from triptych_server.serving.request_queue import Item, Waiting
from triptych_server.serving.warnings import drop_warnings
from triptych_server.sessions.protocol import Arrays

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


class GatheredModel(Generic[Item]):
    """Base of such models; a subclass says in `prepare` what is gathered.

    The parameter `threads` (default 1), which make rows, and those of `ServingOptions` are read here; the others are the subclass's.
    """

    def prepare(self, instance: Instance, parameters: Mapping[str, str]) -> Gathering[Item]:
        """Build the steps from the model's parameters."""
        raise NotImplementedError

    def initialize(self, args: Mapping[str, str]) -> None:
        """Prepare; raises ConfigError, which Triton shows as the reason why the model is not loaded."""
        drop_warnings()
        self._instance = Instance.from_args(args)
        be_nice(self._instance)
        threads = self._instance.parameters.integer("threads", 1)
        self._gathering = self.prepare(self._instance, self._instance.own_parameters("threads").values)
        self._row_makers = ThreadPoolExecutor(threads, thread_name_prefix=f"{self._instance.model}_rows")
        self._intake = Intake[Item](self._instance)
        self._intake.start(_WORKERS, self._work)

    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> None:
        """Take over all requests; every one is answered through its response sender."""
        self._intake.admit(requests, self._read)

    def finalize(self) -> None:
        """Answer what waits, then stop the threads."""
        self._intake.close()
        self._row_makers.shutdown(wait=True)

    def _read(self, request: pb_utils.InferenceRequest) -> Read[Item] | None:
        """The item of a request, None when it has its answer."""
        item = self._gathering.steps.take({tensor.name(): tensor.as_numpy() for tensor in request.inputs()})
        if not isinstance(item, Mapping):
            return Read(item)
        responses.send(request, responses.success(item))
        return None

    def _work(self) -> None:
        while (batch := self._intake.next(self._instance.max_batch_size)) is not None:
            self._run(batch)
            self._intake.done()

    def _run(self, batch: Sequence[Waiting[Item]]) -> None:
        began = time.perf_counter()
        made = self._row_makers.map(lambda waiting: self._guarded(waiting, self._gathering.steps.rows, waiting.item), batch)
        ready = [(waiting, rows) for waiting, rows in zip(batch, made, strict=True) if rows is not None]
        if not ready:
            return
        answers = call_in_chunks([rows for _, rows in ready], self._gathering.call, self._gathering.chunk)
        self._intake.count([waiting for waiting, _ in ready], time.perf_counter() - began)
        for (waiting, _), answer in zip(ready, answers, strict=True):
            self._guarded(waiting, self._send, waiting, answer)

    def _send(self, waiting: Waiting[Item], answer: Rows | Exception) -> None:
        if isinstance(answer, Exception):
            raise answer
        responses.send(waiting.request, responses.success(self._gathering.steps.answer(waiting.item, answer)))

    def _guarded(self, waiting: Waiting[Item], step: Callable[..., Any], *of: Any) -> Any:
        """The result of a step; None, with the request answered, when the step raised."""
        try:
            return step(*of)
        except Exception as error:
            responses.send(waiting.request, responses.failure(error, self._instance.model))
            return None
