"""A Triton Python model that maps one pure function over the items of its requests, each request answered by itself.

The items of a batch share a few threads (the functions spend their time in code that frees the GIL); `execute` ends
when the whole batch is answered, so that what waits, waits in Triton's bounded queue.
"""

from __future__ import annotations  # Triton adds its classes to pb_utils only after this import

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import triton_python_backend_utils as pb_utils

from triptych_server.errors import ConfigError
from triptych_server.serving import responses
from triptych_server.serving.instance import Instance
from triptych_server.sessions.protocol import Arrays

Answer = Callable[[Arrays], Arrays]
"""Inputs of one request (with their batch axis) to its outputs; raises TriptychServerError for what the caller did wrong."""


class MappedModel:
    """Base of the Python models; a subclass says in `prepare` how one request is answered.

    The parameter `threads` (default 1; 0: every core) is read here; the others are the subclass's.
    """

    def prepare(self, instance: Instance, parameters: Mapping[str, str]) -> Answer:
        """Build the function that answers a request from the model's parameters."""
        raise NotImplementedError

    def initialize(self, args: Mapping[str, str]) -> None:
        """Prepare; raises ConfigError, which Triton shows as the reason why the model is not loaded."""
        self._instance = Instance.from_args(args)
        threads = self._instance.parameters.integer("threads", 1) or len(os.sched_getaffinity(0))
        if threads < 0:
            raise ConfigError(f"{self._instance.model}: parameter threads is {threads}; expected 0 (every core) or more")
        own = {key: value for key, value in self._instance.parameters.values.items() if key != "threads"}
        self._answer = self.prepare(self._instance, own)
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix=self._instance.model) if threads > 1 else None

    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> None:
        """Answer every request of the batch, in parallel where there is more than one."""
        if self._workers is None or len(requests) == 1:
            for request in requests:
                self._respond(request)
        else:
            list(self._workers.map(self._respond, requests))

    def finalize(self) -> None:
        """Stop the threads."""
        if self._workers is not None:
            self._workers.shutdown(wait=True)

    def _respond(self, request: pb_utils.InferenceRequest) -> None:
        try:
            if request.is_cancelled():
                response = responses.cancelled()
            else:
                inputs: dict[str, Any] = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
                response = responses.success(self._answer(inputs))
        except Exception as error:
            response = responses.failure(error, self._instance.model)
        responses.send(request, response)
