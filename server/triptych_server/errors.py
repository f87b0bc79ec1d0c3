"""One error class per cause, each with its status; the text says what was found, what was expected and how to mend it."""

from enum import Enum


class Status(Enum):
    """The statuses we answer with: Triton's name and the HTTP code Triton's own front end gives it."""

    INVALID_ARG = 400
    NOT_FOUND = 404
    UNAVAILABLE = 503
    UNSUPPORTED = 501
    INTERNAL = 500

    @property
    def http(self) -> int:
        """The HTTP status code."""
        return self.value


class TriptychServerError(Exception):
    """Base of every error that may reach a user; its text never holds a path of the server or a traceback."""

    status = Status.INTERNAL


class InvalidInputError(TriptychServerError):
    """The request itself is wrong; asking again the same way will fail again."""

    status = Status.INVALID_ARG


class InvalidImageError(InvalidInputError):
    """The bytes are no picture we can decode: empty, truncated, of an unknown format, or zero-sized."""


class ImageTooLargeError(InvalidInputError):
    """The picture is over the byte or pixel budget."""


class InvalidTextError(InvalidInputError):
    """The text cannot be tokenised: not UTF-8, or over the length budget."""


class InvalidOptionError(InvalidInputError):
    """An option of the request (a threshold, a count) is out of its range or not one number."""


class OverloadedError(TriptychServerError):
    """Too much is waiting already; the caller may ask again later."""

    status = Status.UNAVAILABLE


class UnknownModelError(TriptychServerError):
    """There is no model of that name to be loaded."""

    status = Status.NOT_FOUND


class ModelCallError(TriptychServerError):
    """Another model that this one needs answered with an error."""


class ConfigError(TriptychServerError):
    """A model's config.pbtxt, a profile or a parameter is wrong."""

    status = Status.INVALID_ARG


class DeviceError(TriptychServerError):
    """The runtime did not give the device or precision that was asked for."""

    status = Status.UNAVAILABLE


class RuntimeMissingError(DeviceError):
    """The package or library of a runtime is not installed."""


class InferenceError(TriptychServerError):
    """A runtime gave no answer, or not the one that its network gives."""


class RunnerLostError(InferenceError):
    """One of several loaded networks failed before, and cannot be loaded again."""


class ModelImportError(TriptychServerError):
    """A graph could not be brought into the served form, or did not agree with its original."""

    status = Status.INVALID_ARG


class ConversionError(TriptychServerError):
    """A served graph could not be converted for an accelerator, or the result does not agree with it."""

    status = Status.INVALID_ARG


class ConverterMissingError(ConversionError):
    """The environment that a converter needs could not be made."""

    status = Status.UNAVAILABLE


class ModelNameError(TriptychServerError):
    """No model of that name is known; the text names those that are near."""

    status = Status.NOT_FOUND


class HubError(TriptychServerError):
    """The hub answered, but not with the model: it failed, or it is no hub."""

    status = Status.UNAVAILABLE


class HubUnreachableError(HubError):
    """Nothing answers at the hub's address, or not in time; what is in the cache can be used."""


class HubNotFoundError(HubError):
    """The hub has no such repository, revision or file."""

    status = Status.NOT_FOUND


class HubAccessError(HubError):
    """The hub wants a token, another token, or that its terms are accepted."""

    status = Status.INVALID_ARG


class CacheError(TriptychServerError):
    """The cache of pulled models is not as it must be."""


class NotCachedError(CacheError):
    """The model is not in the cache, and nothing may be fetched."""

    status = Status.NOT_FOUND


class ChecksumError(CacheError):
    """A file is not what the hub or the manifest says it is."""


class DiskSpaceError(TriptychServerError):
    """The disk has no room for the model."""

    status = Status.UNAVAILABLE


class CacheBusyError(CacheError):
    """Another process has been changing the same model in the cache for too long."""

    status = Status.UNAVAILABLE


class RepositoryBusyError(TriptychServerError):
    """Another process is changing the models of the repository."""

    status = Status.UNAVAILABLE


class RepositoryReadOnlyError(TriptychServerError):
    """The repository cannot be written by this user."""

    status = Status.INVALID_ARG


class EngineError(TriptychServerError):
    """Triton could not be found, started or stopped."""


class TritonCrashedError(EngineError):
    """Triton ended by a signal, or hangs."""


def one_line(error: Exception) -> str:
    """What another library's exception says, in one short line."""
    return " ".join(str(error).split())[:300]
