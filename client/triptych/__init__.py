"""The client side of Triptych: pictures and texts go to a Triton server, unit-length embeddings come back."""

from triptych.async_client import AsyncClient
from triptych.calls import ImageInput
from triptych.client import Client
from triptych.errors import (
    AccessDenied,
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    Overloaded,
    ServerError,
    ServerUnreachable,
    TriptychError,
)
from triptych.results import Embedded
from triptych.retry import RetryPolicy
from triptych.status import ModelStatus, ServerStatus
from triptych.tls import TLS

__all__ = [
    "TLS",
    "AccessDenied",
    "AsyncClient",
    "Client",
    "DeadlineExceeded",
    "Embedded",
    "ImageInput",
    "InvalidInput",
    "ModelStatus",
    "NotFound",
    "Overloaded",
    "RetryPolicy",
    "ServerError",
    "ServerStatus",
    "ServerUnreachable",
    "TriptychError",
]
