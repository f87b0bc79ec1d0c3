"""tritonclient's one exception -> our error classes; Triton's wording is kept, its decoration is not."""

import re

from tritonclient.utils import InferenceServerException

from triptych.endpoint import Endpoint
from triptych.errors import (
    AccessDenied,
    DeadlineExceeded,
    InvalidInput,
    ModelLost,
    NotFound,
    Overloaded,
    ServerError,
    ServerUnreachable,
    TriptychError,
)

CLASSES: dict[str, type[TriptychError]] = {
    "INVALID_ARGUMENT": InvalidInput,
    "400": InvalidInput,
    "413": InvalidInput,
    "422": InvalidInput,
    "NOT_FOUND": NotFound,
    "404": NotFound,
    "UNAUTHENTICATED": AccessDenied,
    "PERMISSION_DENIED": AccessDenied,
    "401": AccessDenied,
    "403": AccessDenied,
    "UNAVAILABLE": Overloaded,
    "RESOURCE_EXHAUSTED": Overloaded,
    "429": Overloaded,
    "503": Overloaded,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "504": DeadlineExceeded,
    "502": ServerUnreachable,
}

# gRPC gives a lost connection the same status as a full queue; only its own wording tells them apart.
_CONNECTION_LOST = re.compile(
    r"failed to connect|errors? resolving|dns resolution|name resolution|socket closed|connection (reset|refused|timed out)"
    r"|broken pipe|recvmsg|goaway|transport closed|keepalive|stream removed|endpoint closing|handshak|connection aborted",
    re.IGNORECASE,
)
NO_ANSWER = "the server did not answer in time"

_QUEUE_TIMEOUT = "Request timeout expired"
_STUB_DIED = re.compile(r"Stub process '[^']*' is not healthy")
_TOO_LARGE = "larger than max"
_RESTRICTED = "is restricted, expecting header"
_NO_TRITON_BODY = "an exception occurred in the client while decoding the response"
_DECORATION = re.compile(
    r"^(\[StatusCode\.\w+\]|\[\d{3}\]|\[request id: [^\]]*\]|in ensemble '[^']*',|TritonModelException:"
    r"|Failed to process the request\(s\) for model( instance)? '[^']*', message:)\s*"
)
_TRACEBACK = re.compile(r"\s*\n\s*(At:|Traceback)\s*\n.*", re.DOTALL)


def cleaned(message: str) -> str:
    """Triton's sentence without the status, request id, ensemble and traceback around it."""
    message = _TRACEBACK.sub("", message).strip()
    while (shorter := _DECORATION.sub("", message)) != message:
        message = shorter
    return message


def from_triton(error: InferenceServerException, endpoint: Endpoint) -> TriptychError:
    """The error class for a status of either protocol; an unknown status is a ServerError."""
    status = (error.status() or "").removeprefix("StatusCode.")
    message = error.message() or ""
    if message.startswith(_NO_TRITON_BODY):  # an HTML page of a proxy, say
        message = f"{endpoint} answered HTTP {status}, and not in Triton's words"
    if status == "UNAVAILABLE" and _CONNECTION_LOST.search(message):
        return unreachable(endpoint, _last_reason(message))
    if status == "CANCELLED":
        return closed()
    kind = _kind(status, message)
    if kind is DeadlineExceeded:
        waited = _QUEUE_TIMEOUT in message
        return kind("the request waited in the server's queue until its time was over" if waited else NO_ANSWER)
    return kind(cleaned(message) or f"the server failed without saying why (status {status or 'unknown'})")


def _kind(status: str, message: str) -> type[TriptychError]:
    if _QUEUE_TIMEOUT in message:  # UNAVAILABLE, 503
        return DeadlineExceeded
    if _RESTRICTED in message:  # gRPC: UNAVAILABLE, as if asking again would help
        return AccessDenied
    if _STUB_DIED.search(message):  # INTERNAL, as if asking again were no use
        return ModelLost
    if status == "RESOURCE_EXHAUSTED" and _TOO_LARGE in message:
        return InvalidInput
    return CLASSES.get(status, ServerError)


def closed() -> TriptychError:
    """What every use of a closed client raises, and what it breaks off."""
    return TriptychError("this client is closed")


def unreachable(endpoint: Endpoint, reason: str) -> ServerUnreachable:
    """What a user is told when no Triton answers at an address."""
    protocol = "gRPC" if endpoint.grpc else "HTTP"
    return ServerUnreachable(f"no Triton answers {protocol} at {endpoint.address} ({reason}); is it running there?")


def _last_reason(message: str) -> str:
    """gRPC wraps the cause in layers: `failed to connect to all addresses; last error: UNKNOWN: ipv4:…: <cause>`."""
    resolving = re.search(r"address lookup failed for [^:]+:\d+: ([^\]]+)", message)
    if resolving:
        return resolving.group(1)
    return message.rsplit(": ", 1)[-1].rstrip(".]")
