"""A Triton backend over any Session: requests are stacked, run, split, and each is answered by itself.

`execute` returns shortly before the runtime could take another batch: until then Triton keeps collecting it, and what is urgent can still
go first. A lone request runs at once on the calling thread, from Triton's memory; but where Triton
collects none (no dynamic_batching), as many requests as the session can use run side by side.
"""

from __future__ import annotations  # Triton adds its classes to pb_utils only after this import

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import numpy as np
import triton_python_backend_utils as pb_utils

from triptych_server.errors import ConfigError
from triptych_server.serving import responses
from triptych_server.serving.batching import batch_size, split, stack
from triptych_server.serving.device_metric import DeviceMetric, publish_device
from triptych_server.serving.instance import Instance, TensorConfig
from triptych_server.serving.opening import told_while_opening
from triptych_server.serving.pace import Pace, Run
from triptych_server.sessions.protocol import Arrays, Session, SessionSettings, TensorSpec

Requests: TypeAlias = "Sequence[tuple[pb_utils.InferenceRequest, Arrays]]"

NUMPY_TYPES = {
    "TYPE_UINT8": np.uint8,
    "TYPE_INT32": np.int32,
    "TYPE_INT64": np.int64,
    "TYPE_FP32": np.float32,
    "TYPE_FP16": np.float16,
}


class NetworkBackend:
    """Base of the Python-based backends; a subclass says in `open` which runtime it is."""

    def open(self, settings: SessionSettings) -> Session:
        """Open the model's graph; raises DeviceError when the device or precision asked for was not given."""
        raise NotImplementedError

    def initialize(self, args: Mapping[str, str]) -> None:
        """Open the model's graph; raises what the session raises, which Triton shows as the reason why the model is not loaded."""
        self._instance = Instance.from_args(args)
        settings = self._instance.session_settings()
        if not settings.graph.is_file():
            raise ConfigError(f"{self._instance.model} has no weights: `triptych models import FOLDER` puts them in place")
        with told_while_opening(self._instance.name):
            self._session = self.open(settings)
        _check_tensors(self._instance, self._instance.inputs, self._session.inputs)
        _check_tensors(self._instance, self._instance.outputs, self._session.outputs)
        device = self._session.device
        self._metric: DeviceMetric | None = publish_device(self._instance, device)
        if device.fallback:
            pb_utils.Logger.log_warn(f"{self._instance.name}: {device.fallback}")
        pb_utils.Logger.log_info(f"{self._instance.name}: asked for {device.requested}, runs on {device.actual} in {device.precision}")
        self._slots = threading.BoundedSemaphore(self._session.concurrency)
        self._pace = Pace(max(self._session.concurrency - 1, 1))  # the last one waits its turn, ready
        self._triton_collects = bool(self._instance.config.get("dynamic_batching"))
        self._workers = ThreadPoolExecutor(self._session.concurrency, thread_name_prefix=self._instance.model)

    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> None:
        """Take over a batch of requests; every one is answered through its response sender."""
        self._slots.acquire()
        handed_over = False
        try:
            taken = self._take(requests)
            if len(taken) == 1 and self._triton_collects:
                self._run(taken, taken[0][1])
            elif taken:
                handed_over = self._hand_over(taken)
        finally:
            if not handed_over:
                self._slots.release()
        if handed_over and self._triton_collects:
            self._pace.wait()

    def finalize(self) -> None:
        """Let the last batches end, then close the graph."""
        self._workers.shutdown(wait=True)
        self._session.close()
        self._metric = None  # while the stub still talks to Triton: freed later, at its exit, the metric takes the stub down

    def _hand_over(self, taken: Requests) -> bool:
        """Give a batch to a worker, which frees the slot; False, with every request answered, when that failed."""
        try:
            # Triton takes its memory back when execute returns, so the inputs are copied (stacked) here.
            batch = stack([inputs for _, inputs in taken])
            if len(taken) == 1:
                batch = {name: array.copy() for name, array in batch.items()}
            self._workers.submit(self._run_and_free, self._pace.started(batch_size(batch)), taken, batch)
        except Exception as error:
            for request, _ in taken:
                responses.send(request, responses.failure(error, self._instance.model))
            return False
        return True

    def _take(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[tuple[pb_utils.InferenceRequest, Arrays]]:
        """The requests that still want an answer, with their inputs as arrays in Triton's memory."""
        taken: list[tuple[pb_utils.InferenceRequest, Arrays]] = []
        for request in requests:
            try:
                if request.is_cancelled():
                    responses.send(request, responses.cancelled())
                else:
                    taken.append((request, {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}))
            except Exception as error:
                responses.send(request, responses.failure(error, self._instance.model))
        return taken

    def _run_and_free(self, run: Run, taken: Requests, batch: Arrays) -> None:
        try:
            self._run(taken, batch)
        finally:
            self._pace.ended(run)
            self._slots.release()

    def _run(self, taken: Requests, batch: Arrays) -> None:
        """Run a batch and answer it. If it fails as a whole, each request gets its own run, so that none takes the others along."""
        sizes = [batch_size(inputs) for _, inputs in taken]
        answered = 0
        try:
            with self._session.run(batch) as outputs:
                for (request, _), part in zip(taken, split(outputs, sizes), strict=True):
                    response = responses.success(part)
                    answered += 1
                    responses.send(request, response)
        except Exception as error:
            if len(taken) == 1:
                responses.send(taken[0][0], responses.failure(error, self._instance.model))
                return
            pb_utils.Logger.log_warn(f"{self._instance.name}: a batch of {len(taken)} requests failed, running them one by one: {error}")
            starts = np.cumsum([0, *sizes])
            for index in range(answered, len(taken)):
                alone = {name: array[starts[index] : starts[index + 1]] for name, array in batch.items()}
                self._run([taken[index]], alone)


def _check_tensors(instance: Instance, configured: Sequence[TensorConfig], graph: Sequence[TensorSpec]) -> None:
    """ConfigError when config.pbtxt and the graph do not speak of the same tensors."""
    found = {spec.name: spec for spec in graph}
    for tensor in configured:
        spec = found.get(tensor.name)
        if spec is None:
            raise ConfigError(f"{instance.model}: the config names tensor {tensor.name!r}, but the graph has {', '.join(found)}")
        if spec.dtype != NUMPY_TYPES.get(tensor.data_type):
            raise ConfigError(f"{instance.model}: {tensor.name} is {tensor.data_type} in the config, but {spec.dtype} in the graph")
        dims = spec.shape[1:] if instance.max_batch_size else spec.shape
        agree = len(dims) == len(tensor.dims) and all(a in (-1, b) or b is None for a, b in zip(tensor.dims, dims, strict=True))
        if not agree:
            raise ConfigError(
                f"{instance.model}: {tensor.name} has dims {list(tensor.dims)} in the config, but {list(dims)} in the graph; "
                "`triptych models import` writes both"
            )
