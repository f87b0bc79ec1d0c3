"""Ask another model of the same Triton (business logic scripting): arrays in, arrays out, its errors with the status they deserve."""

from __future__ import annotations  # Triton adds its classes to pb_utils only after this import

from collections.abc import Sequence

import numpy as np
import triton_python_backend_utils as pb_utils

from triptych_server.errors import ModelCallError, OverloadedError, TriptychServerError
from triptych_server.sessions.protocol import Arrays

# Triton 2.51 hands every refusal of the inner queue, Triton's or ours, on as INTERNAL: only the text still tells what it was.
_BUSY = ("maximum queue size", "requests waiting already", "timeout expired", "not ready", "is not available", "is not healthy")


def call_model(model: str, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
    """Run `model` on these inputs; blocks, without the GIL. May be called from any thread while a request is being answered.

    Raises OverloadedError when its queue is full or it is not ready, ModelCallError for any other failure.
    """
    request = pb_utils.InferenceRequest(
        model_name=model,
        requested_output_names=list(outputs),
        inputs=[pb_utils.Tensor(name, np.ascontiguousarray(array)) for name, array in inputs.items()],
        preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU),
    )
    response = request.exec()
    if response.has_error():
        raise call_error(model, response.error().message())
    return {tensor.name(): tensor.as_numpy() for tensor in response.output_tensors()}


def call_error(model: str, message: str) -> TriptychServerError:
    """What a refusal of `model` means for the one who asked; the text of an inner failure stays in the server's log."""
    if any(sign in message for sign in _BUSY):
        return OverloadedError(f"{model} is busy or not ready; ask again later")
    pb_utils.Logger.log_error(f"{model}: {message}")
    return ModelCallError(f"{model} failed on this request; the server's log has the details")
