"""What goes wrong in the gateway: one class per cause with its HTTP status, and the status of every error of the client."""

from typing import ClassVar

from triptych import errors
from triptych.errors import TriptychError

RETRY_AFTER = 1
"""Seconds after which a caller who was turned away may ask again."""


class Refused(TriptychError):  # noqa: N818 - the causes read as states, as the client's do
    """The request itself is wrong."""

    status: ClassVar[int] = 400


class Unauthorised(Refused):
    """The API key is missing or wrong."""

    status = 401


class Forbidden(Refused):
    """Who asks may not, whatever the key."""

    status = 403


class NoSuchModel(Refused):
    """There is no model of this name to be told of."""

    status = 404


class TooSlow(Refused):
    """The request did not arrive whole in time."""

    status = 408


class TooLarge(Refused):
    """The request has more bytes than it may have."""

    status = 413


class Malformed(Refused):
    """The form or the JSON is not what this path takes."""

    status = 422


class NotServed(Refused):
    """The model is not the one that is served here."""

    status = 422


class TooOften(Refused):
    """This caller asked too much of late; `seconds` later there will be room."""

    status = 429

    def __init__(self, text: str, seconds: int) -> None:
        super().__init__(text)
        self.seconds = seconds


class Gone(Refused):
    """The caller hung up; nobody reads the answer."""

    status = 499


class Busy(Refused):
    """As many requests as there may be are under way."""

    status = 503


class NotReady(Refused):
    """No Triton is ready to answer."""

    status = 503


_STATUS: dict[type[TriptychError], int] = {
    errors.InvalidInput: 400,
    errors.AccessDenied: 502,
    errors.ServerError: 502,
    errors.NotFound: 503,  # it was there a moment ago
    errors.Overloaded: 503,
    errors.ServerUnreachable: 503,
    errors.ModelLost: 503,
    errors.DeadlineExceeded: 504,
}


def status_of(error: TriptychError) -> int:
    """The HTTP status that an error is answered with."""
    return error.status if isinstance(error, Refused) else next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 502)


def headers_of(status: int) -> dict[str, str]:
    """Headers that go with a status."""
    if status == 503:
        return {"retry-after": str(RETRY_AFTER)}
    return {"www-authenticate": "Bearer"} if status == 401 else {}
