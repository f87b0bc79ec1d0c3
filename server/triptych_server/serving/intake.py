"""Between Triton and a model's workers: requests are taken over at once, wait in a bounded queue of ours, and are refused beyond it."""

from __future__ import annotations  # Triton adds its classes to pb_utils only after this import

import json
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, NamedTuple

import triton_python_backend_utils as pb_utils

from triptych_server.errors import OverloadedError
from triptych_server.serving import responses
from triptych_server.serving.end_with_server import end_with_server
from triptych_server.serving.instance import Instance
from triptych_server.serving.load import Load, loads_folder
from triptych_server.serving.neighbours import Fed, Sharers
from triptych_server.serving.queue_metrics import QueueMetrics
from triptych_server.serving.request_queue import BULK, URGENT, Item, RequestQueue, Waiting
from triptych_server.serving.serving_options import ServingOptions

PRIORITY = "triptych_priority"
"""The request parameter by which clients give a priority: Triton shows its own to nobody, but hands parameters to every step."""
BATCHES_AHEAD = 2
"""So many full batches waiting are enough: the runtime has its next one at once, and the one after that is being made."""
CANCELLED_AFTER_SECONDS = 0.1
"""Who has waited less is not asked whether he has gone: each question is a round trip to the server, while the runtime idles."""
AGAIN_SECONDS = 0.1
"""Before a worker that failed begins anew."""


class Read(NamedTuple, Generic[Item]):
    """What `execute` reads from a request: copies, for its memory is Triton's. See `Waiting`."""

    item: Item
    rows: int = 1
    kind: Hashable = None


class Intake(Generic[Item]):
    """The queue of one model instance, with its workers and counters; bound, time limit, priority and neighbours are the model's parameters
    (`ServingOptions`)."""

    def __init__(self, instance: Instance) -> None:
        end_with_server()
        self._model, self._options = instance.model, ServingOptions.from_parameters(instance.parameters, instance.model)
        self._queue: RequestQueue[Item] = RequestQueue(self._options.max_waiting)
        self._busy: dict[int, Sequence[Waiting[Item]]] = {}  # by thread, the batch that is not answered yet
        self._metrics = QueueMetrics(instance, self._queue.__len__, self._busy.__len__)
        self._enough = min(self._options.max_waiting, BATCHES_AHEAD * max(1, instance.max_batch_size))
        self._load = Load(self._model, loads_folder())
        self._showing = threading.Lock()
        self._reads = False
        self._fed = Fed(self._options.feeds, loads_folder())
        self._sharers, self._at_once = Sharers((), None), 1
        self._turn = threading.Lock()
        self._workers: list[threading.Thread] = []

    def take_turns(self, at_once: int) -> None:
        """With those that the model's parameters name; before `start`. `at_once` batches keep it busy, and nothing is made for it then."""
        self._sharers, self._at_once = Sharers(self._options.takes_turns_with, loads_folder()), at_once

    def start(self, workers: int, work: Callable[[], None]) -> None:
        """Start threads that take requests with `next` until that gives None. When `work` raises, what its batch lacks is answered, and it
        is called again: with its workers gone a model would hang."""
        names = [f"{self._model}_{number}" for number in range(workers)]
        self._workers = [threading.Thread(target=self._keep_at, args=(work,), name=name, daemon=True) for name in names]
        for worker in self._workers:
            worker.start()

    def admit(self, requests: Sequence[pb_utils.InferenceRequest], read: Callable[[pb_utils.InferenceRequest], Read[Item] | None]) -> None:
        """Take requests over: one that cannot be read, or finds the queue full, is answered now. `read` gives None for one that it has
        answered itself."""
        self._reads = True
        self._show()
        arrived = []
        for request in requests:
            try:
                if (found := read(request)) is not None:
                    arrived.append(self._waiting(request, found))
            except Exception as error:
                responses.send(request, responses.failure(error, self._model))
        refused = self._queue.put(arrived)
        for waiting in refused:
            full = OverloadedError(f"{self._model} has {self._options.max_waiting} requests waiting already; ask again later")
            responses.send(waiting.request, responses.failure(full, self._model))
        self._reads = False
        self._show()
        if arrived:
            self._metrics.count(refused=len(refused))

    def next(self, most_rows: int = 1) -> list[Waiting[Item]] | None:
        """Wait while those that this model feeds have enough, then for a request and what its decoders have begun: the next batch, after
        which `done` is to be called; None when the model is being closed and nothing is left. Who has waited too long, or has gone, is
        answered and left out, so it may be empty."""
        with self._turn:  # one batch after the other is gathered
            self._fed.wait(self._queue.is_over)
            self._queue.wait()
            self._sharers.wait(lambda: self._queue.is_enough(most_rows))
            taken = self._queue.take(most_rows)
        if taken is None:
            return None
        self._busy[threading.get_ident()] = [*taken.batch, *taken.expired]  # owed from here on
        now = time.monotonic()
        for waiting in taken.expired:  # Triton's own words for it, which clients know
            late = OverloadedError(f"Request timeout expired: it waited {now - waiting.since:.1f} s for {self._model}")
            responses.send(waiting.request, responses.failure(late, self._model))
        batch = [waiting for waiting in taken.batch if not self._has_gone(waiting, now)]
        self._metrics.count(taken=len(taken.batch) + len(taken.expired), refused=len(taken.expired))
        if not batch:
            self._busy.pop(threading.get_ident())
        self._show()
        return batch

    def done(self) -> None:
        """This thread's batch is answered."""
        self._busy.pop(threading.get_ident(), None)
        self._metrics.touch()
        self._show()

    def count(self, batch: Sequence[Waiting[Item]], seconds: float) -> None:
        """A batch has just been run, in this time."""
        began = time.monotonic() - seconds
        self._metrics.count(
            runs=1,
            requests=len(batch),
            rows=sum(waiting.rows for waiting in batch),
            queue_seconds=sum(began - waiting.since for waiting in batch),
            compute_seconds=seconds * len(batch),
        )

    def close(self) -> None:
        """Have what waits answered, then stop the workers; before the model ends, for counters that are freed later take the stub down."""
        self._queue.close()
        for worker in self._workers:
            worker.join()
        self._load.close()
        self._metrics.close()

    def _keep_at(self, work: Callable[[], None]) -> None:
        ended = False
        while not ended:
            try:
                work()
                ended = True
            except Exception as error:
                pb_utils.Logger.log_error(f"{self._model}: a worker failed and begins anew: {error!r}")
                for waiting in self._busy.get(threading.get_ident(), ()):  # who has an answer already keeps it
                    responses.send(waiting.request, responses.failure(error, self._model))
                self.done()
                time.sleep(AGAIN_SECONDS)

    def _show(self) -> None:
        with self._showing:  # whoever is last has seen all changes
            waiting = len(self._queue)
            is_its_turn = bool(self._sharers) and len(self._busy) >= self._at_once
            self._load.show(full=waiting >= self._enough or is_its_turn, owes=self._reads or waiting > 0 or bool(self._busy))

    def _waiting(self, request: pb_utils.InferenceRequest, found: Read[Item]) -> Waiting[Item]:
        now, limit = time.monotonic(), float(self._options.max_wait_seconds)
        if own := request.timeout():  # microseconds
            limit = min(limit, own / 1e6)
        return Waiting(request, found.item, found.rows, found.kind, self._priority(request), now, now + limit)

    def _priority(self, request: pb_utils.InferenceRequest) -> int:
        """As its client wants it; the model's default for any other value, as Triton does with its own."""
        text = request.parameters()
        if not text or PRIORITY not in text:
            return self._options.default_priority
        priority = json.loads(text).get(PRIORITY)
        return priority if priority in (URGENT, BULK) else self._options.default_priority

    def _has_gone(self, waiting: Waiting[Item], now: float) -> bool:
        """Whether the client gave up meanwhile, in which case it is answered."""
        try:
            if now - waiting.since < CANCELLED_AFTER_SECONDS or not waiting.request.is_cancelled():
                return False
            responses.send(waiting.request, responses.cancelled())
        except Exception as error:
            responses.send(waiting.request, responses.failure(error, self._model))
        return True
