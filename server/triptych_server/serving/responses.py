"""Answer one Triton request: with tensors, or with an error that has the right status and shows nothing of the server's inside."""

from __future__ import annotations  # Triton adds its classes to pb_utils only after this import

import contextlib
import traceback

import triton_python_backend_utils as pb_utils

from triptych_server.errors import TriptychServerError
from triptych_server.sessions.protocol import Arrays


def success(outputs: Arrays) -> pb_utils.InferenceResponse:
    """A response with these tensors."""
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])


def failure(error: Exception, model: str) -> pb_utils.InferenceResponse:
    """A response for an error. One of ours speaks for itself; anything else is logged whole and answered with one plain sentence."""
    if isinstance(error, TriptychServerError):
        code: int = getattr(pb_utils.TritonError, error.status.name)
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), code))
    pb_utils.Logger.log_error(f"{model}: {''.join(traceback.format_exception(error))}")
    message = f"{model} failed on this request ({type(error).__name__}); the server's log has the details"
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, pb_utils.TritonError.INTERNAL))


def cancelled() -> pb_utils.InferenceResponse:
    """A response to a request whose client has gone."""
    return pb_utils.InferenceResponse(error=pb_utils.TritonError("cancelled by the client", pb_utils.TritonError.CANCELLED))


def send(request: pb_utils.InferenceRequest, response: pb_utils.InferenceResponse) -> None:
    """Send the one and final response of a request. Never raises: full shared memory or a request that has been answered already
    must not take its neighbours along; the request then gets a short error, if it can get anything."""
    final = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
    try:
        request.get_response_sender().send(response, flags=final)
    except Exception as error:
        pb_utils.Logger.log_error(f"an answer could not be sent: {error}")
        sorry = pb_utils.TritonError("the answer could not be sent; is shared memory (/dev/shm) full?", pb_utils.TritonError.UNAVAILABLE)
        with contextlib.suppress(Exception):
            request.get_response_sender().send(pb_utils.InferenceResponse(error=sorry), flags=final)
