"""What a transport does, and which one serves an endpoint; a transport's library is imported when it is chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from triptych.calls import Call, Tensors
from triptych.endpoint import Endpoint
from triptych.errors import InvalidInput
from triptych.tls import TLS

__all__ = ["AsyncTransport", "Connection", "Json", "Tensors", "Transport", "connect", "connect_async"]

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a transport goes and what it sends along; `headers` are lower-case and go with administrative calls too."""

    endpoint: Endpoint
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: TLS | None = None

    def __post_init__(self) -> None:
        if self.tls is None:
            return
        if not self.endpoint.secure:
            secure = f"{self.endpoint.scheme}s://{self.endpoint.address}"
            raise InvalidInput(f"TLS options were given for {self.endpoint}, which is not encrypted; use {secure}")
        self.tls.context()  # gRPC would only log that a certificate is unusable, and call the server unreachable


class Transport(Protocol):
    """One server, used from any number of threads. `timeout` is in seconds; every method raises TriptychError only."""

    def infer(self, call: Call, timeout: float) -> Tensors:
        """The outputs that `call` asks for, as far as the answer has them."""

    def server_ready(self, timeout: float) -> bool:
        """Whether the server calls itself and every model that it was to load ready."""

    def model_index(self, timeout: float) -> Sequence[Json]:
        """Every model of the repository: name, state, reason."""

    def model_config(self, model: str, timeout: float) -> Json:
        """A ready model's configuration."""

    def model_statistics(self, timeout: float) -> Sequence[Json]:
        """Counts of every ready model version."""

    def close(self) -> None:
        """Break off what is under way and free the connections."""


class AsyncTransport(Protocol):
    """`Transport` for one event loop."""

    async def infer(self, call: Call, timeout: float) -> Tensors: ...

    async def server_ready(self, timeout: float) -> bool: ...

    async def model_index(self, timeout: float) -> Sequence[Json]: ...

    async def model_config(self, model: str, timeout: float) -> Json: ...

    async def model_statistics(self, timeout: float) -> Sequence[Json]: ...

    async def close(self) -> None: ...


def connect(connection: Connection) -> Transport:
    """The transport for threads."""
    if connection.endpoint.grpc:
        from triptych.transport.grpc import GrpcTransport

        return GrpcTransport(connection)
    from triptych.transport.http import HttpTransport

    return HttpTransport(connection)


def connect_async(connection: Connection) -> AsyncTransport:
    """The transport for the running event loop."""
    if connection.endpoint.grpc:
        from triptych.transport.grpc_aio import AsyncGrpcTransport

        return AsyncGrpcTransport(connection)
    from triptych.transport.http_aio import AsyncHttpTransport

    return AsyncHttpTransport(connection)
