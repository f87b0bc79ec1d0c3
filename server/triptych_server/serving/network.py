"""A Triton backend over any Session: requests are stacked, run, split, and each is answered by itself.

`execute` copies the requests into a queue of ours and returns. Whenever the runtime is free, a worker makes a batch of what waits then:
under load batches are as large as they can be, and a lone request waits for nobody. The place in the runtime goes to the next worker as
soon as the batch has computed; its answers are built and sent meanwhile.
"""

from __future__ import annotations  # Triton adds its classes to pb_utils only after this import

import time
from collections.abc import Mapping, Sequence

import numpy as np
import triton_python_backend_utils as pb_utils

from triptych_server.errors import ConfigError
from triptych_server.serving import responses
from triptych_server.serving.batching import batch_size, split, stack
from triptych_server.serving.device_metric import DeviceMetric, publish_device
from triptych_server.serving.instance import Instance, TensorConfig
from triptych_server.serving.intake import Intake, Read
from triptych_server.serving.niceness import be_nice
from triptych_server.serving.opening import told_while_opening
from triptych_server.serving.places import Place, Places
from triptych_server.serving.request_queue import Waiting
from triptych_server.sessions.protocol import Arrays, Session, SessionSettings, TensorSpec

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
        be_nice(self._instance)
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
        gathers = self._instance.config.get("dynamic_batching") is not None  # else the runtime does, from requests that run side by side
        self._most_rows = max(1, self._instance.max_batch_size) if gathers else 1
        self._places = Places(self._session.concurrency, every=not gathers)
        self._intake = Intake[Arrays](self._instance)
        if device.actual.startswith("CPU"):
            self._intake.take_turns(self._places.computing)
        self._intake.start(self._session.concurrency + 1, self._work)  # one answers while the others compute

    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> None:
        """Take over requests; every one is answered through its response sender."""
        self._intake.admit(requests, _read)

    def finalize(self) -> None:
        """Let the last batches end, then close the graph."""
        self._intake.close()
        self._session.close()
        self._metric = None  # while the stub still talks to Triton: freed later, at its exit, the metric takes the stub down

    def _work(self) -> None:
        batch: list[Waiting[Arrays]] | None = []
        while batch is not None:
            with self._places.one() as place:
                if batch := self._intake.next(self._most_rows):
                    self._run(batch, place)
                    self._intake.done()

    def _run(self, batch: Sequence[Waiting[Arrays]], place: Place) -> None:
        """Run a batch and answer it. If it fails as a whole, each request gets its own run, so that none takes the others along."""
        answered = 0
        try:
            feeds = stack([waiting.item for waiting in batch])
            place.start()
            began = time.perf_counter()
            with self._session.run(feeds) as outputs:
                seconds = time.perf_counter() - began
                place.free(seconds)
                self._intake.count(batch, seconds)
                for waiting, part in zip(batch, split(outputs, [batch_size(waiting.item) for waiting in batch]), strict=True):
                    response = responses.success(part)
                    answered += 1
                    responses.send(waiting.request, response)
        except Exception as error:
            if len(batch) == 1:
                responses.send(batch[0].request, responses.failure(error, self._instance.model))
                return
            pb_utils.Logger.log_warn(f"{self._instance.name}: a batch of {len(batch)} requests failed, running them one by one: {error}")
            for waiting in batch[answered:]:
                self._run([waiting], place)


def _read(request: pb_utils.InferenceRequest) -> Read[Arrays]:
    """The inputs of a request; those of one batch agree in names, types and all axes but the first."""
    inputs = {tensor.name(): np.array(tensor.as_numpy()) for tensor in request.inputs()}
    kind = tuple(sorted((name, array.dtype.str, array.shape[1:]) for name, array in inputs.items()))
    return Read(inputs, batch_size(inputs), kind)


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
