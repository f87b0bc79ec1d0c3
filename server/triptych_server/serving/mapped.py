"""A Triton Python model that maps one pure function over its requests, each answered by itself.

`execute` reads the requests into a queue of ours and returns; a few threads take one each (the functions spend their time in code
that frees the GIL).
"""

from __future__ import annotations  # Triton adds its classes to pb_utils only after this import

import os
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import triton_python_backend_utils as pb_utils

from triptych_server.errors import ConfigError
from triptych_server.serving import responses
from triptych_server.serving.instance import Instance
from triptych_server.serving.intake import Intake, Read
from triptych_server.serving.niceness import be_nice
from triptych_server.serving.request_queue import Waiting
from triptych_server.serving.warnings import drop_warnings
from triptych_server.sessions.protocol import Arrays

Answer = Callable[[Arrays], Arrays]
"""Inputs of one request (with their batch axis) to its outputs; raises TriptychServerError for what the caller did wrong."""


class MappedModel:
    """Base of the Python models; a subclass says in `prepare` how one request is answered.

    The parameter `threads` (default 1; 0: every core) and those of `ServingOptions` are read here; the others are the subclass's.
    """

    def prepare(self, instance: Instance, parameters: Mapping[str, str]) -> Answer:
        """Build the function that answers a request from the model's parameters."""
        raise NotImplementedError

    def initialize(self, args: Mapping[str, str]) -> None:
        """Prepare; raises ConfigError, which Triton shows as the reason why the model is not loaded."""
        drop_warnings()
        self._instance = Instance.from_args(args)
        be_nice(self._instance)
        threads = self._instance.parameters.integer("threads", 1) or len(os.sched_getaffinity(0))
        if threads < 0:
            raise ConfigError(f"{self._instance.model}: parameter threads is {threads}; expected 0 (every core) or more")
        self._answer = self.prepare(self._instance, self._instance.own_parameters("threads").values)
        self._intake = Intake[Arrays](self._instance)
        self._intake.start(threads, self._work)

    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> None:
        """Take over requests; every one is answered through its response sender."""
        self._intake.admit(requests, _read)

    def finalize(self) -> None:
        """Answer what waits, then stop the threads."""
        self._intake.close()

    def _work(self) -> None:
        while (taken := self._intake.next()) is not None:
            for waiting in taken:
                self._respond(waiting)
            self._intake.done()

    def _respond(self, waiting: Waiting[Arrays]) -> None:
        try:
            began = time.perf_counter()
            answer = self._answer(waiting.item)
            self._intake.count([waiting], time.perf_counter() - began)
            response = responses.success(answer)
        except Exception as error:
            response = responses.failure(error, self._instance.model)
        responses.send(waiting.request, response)


def _read(request: pb_utils.InferenceRequest) -> Read[Arrays]:
    return Read({tensor.name(): np.array(tensor.as_numpy()) for tensor in request.inputs()})
