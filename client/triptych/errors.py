"""What can go wrong between a caller and a server: one class per cause, whatever the protocol."""

from typing import ClassVar


class TriptychError(Exception):
    """Base of every error this package raises on purpose; its text is a sentence for the user."""

    retryable: ClassVar[bool] = False  # the same request may succeed a moment later
    concerns_server: ClassVar[bool] = False  # no other request would fare better


class InvalidInput(TriptychError):  # noqa: N818 - the causes read as states, as HTTP's and gRPC's do
    """The picture, the text or an option is wrong; the same request will fail again (400, INVALID_ARGUMENT)."""


class NotFound(TriptychError):  # noqa: N818
    """The server has no such model, or has it without a ready version (404, NOT_FOUND)."""

    concerns_server = True


class AccessDenied(TriptychError):  # noqa: N818
    """A proxy or a restricted API wants a header or certificate that was not sent (401, 403)."""

    concerns_server = True


class Overloaded(TriptychError):  # noqa: N818
    """The server turned the request away at once, because its queue is full (503, UNAVAILABLE)."""

    retryable = True


class DeadlineExceeded(TriptychError):  # noqa: N818
    """There was no answer within the timeout, counted over all attempts."""


class ServerUnreachable(TriptychError):  # noqa: N818
    """No Triton answers there: nothing listens, the name does not resolve, or the connection broke."""

    retryable = True
    concerns_server = True


class ModelLost(TriptychError):  # noqa: N818
    """A process of the server that worked on the request has died (500, INTERNAL); `triptych serve` starts it anew within seconds."""

    retryable = True


class ServerError(TriptychError):
    """The server failed on a request that looks right (500, INTERNAL), or its answer makes no sense."""
