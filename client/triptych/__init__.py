"""The client side of Triptych: pictures and texts go to a Triton server, embeddings and faces come back."""

from triptych.async_client import AsyncClient
from triptych.client import Client
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
from triptych.face import Face
from triptych.images import ImageInput
from triptych.results import Analysis, Analyzed, Embedded, Found
from triptych.retry import RetryPolicy
from triptych.status import ModelStatus, ServerStatus
from triptych.tls import TLS

__all__ = [
    "TLS",
    "AccessDenied",
    "Analysis",
    "Analyzed",
    "AsyncClient",
    "Client",
    "DeadlineExceeded",
    "Embedded",
    "Face",
    "Found",
    "ImageInput",
    "InvalidInput",
    "ModelLost",
    "ModelStatus",
    "NotFound",
    "Overloaded",
    "RetryPolicy",
    "ServerError",
    "ServerStatus",
    "ServerUnreachable",
    "TriptychError",
]
