"""The model `on_demand`: the name of an idle model in, the model loaded, its config out.

It is in Triton, so whoever may send requests can have such a model back, without the key of the control APIs. `execute` hands
requests on to one thread, so that who asks for a config alone never waits for a load.
"""

from __future__ import annotations  # Triton adds its classes to pb_utils only after this import

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import BoundedSemaphore

import numpy as np
import triton_python_backend_utils as pb_utils

from triptych_server.errors import InvalidInputError, OverloadedError, UnknownModelError
from triptych_server.serving import responses
from triptych_server.serving.end_with_server import end_with_server
from triptych_server.serving.idle_models import IdleModels
from triptych_server.serving.instance import Instance

MAX_WAITING = 512


class TritonPythonModel:
    """Answers through response senders. Parameter: `door`, the engine's socket."""

    def initialize(self, args: Mapping[str, str]) -> None:
        end_with_server()
        instance = Instance.from_args(args)
        self._name = instance.model
        self._idle = IdleModels(instance.folder.parent, Path(instance.parameters.text("door")))
        self._loader = ThreadPoolExecutor(1, thread_name_prefix=self._name)
        self._free = BoundedSemaphore(MAX_WAITING)

    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> None:
        """Take over all requests."""
        for request in requests:
            try:
                self._take(request)
            except Exception as error:
                responses.send(request, responses.failure(error, self._name))

    def finalize(self) -> None:
        """Let go of those that wait; the engine closes its socket before it ends us."""
        self._loader.shutdown(wait=False, cancel_futures=True)

    def _take(self, request: pb_utils.InferenceRequest) -> None:
        model, load = (pb_utils.get_input_tensor_by_name(request, key) for key in ("model", "load"))
        if model is None or load is None:
            raise InvalidInputError("expected the inputs model and load")
        name = bytes(model.as_numpy().item()).decode(errors="replace")
        config = self._idle.configs().get(name)
        if config is None:
            raise UnknownModelError(f"{name!r} is none of the models that were unloaded because nobody asked for them")
        if not load.as_numpy().item():
            responses.send(request, _answer(config))
        elif self._free.acquire(blocking=False):
            self._loader.submit(self._load, request, name, config)
        else:
            raise OverloadedError(f"{MAX_WAITING} requests wait for idle models already; ask again later")

    def _load(self, request: pb_utils.InferenceRequest, name: str, config: str) -> None:
        try:
            if request.is_cancelled():
                responses.send(request, responses.cancelled())
                return
            self._idle.load(name)
            responses.send(request, _answer(config))
        except Exception as error:
            responses.send(request, responses.failure(error, self._name))
        finally:
            self._free.release()


def _answer(config: str) -> pb_utils.InferenceResponse:
    return responses.success({"config": np.array([config.encode()], np.object_)})
