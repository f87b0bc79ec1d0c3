"""gRPC for asyncio."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import tritonclient.grpc.aio as triton
from tritonclient.utils import InferenceServerException

from triptych.calls import Call
from triptych.transport.base import Connection, Json, Tensors
from triptych.transport.failures import closed, from_triton
from triptych.transport.tensors import answered, channel_options, grpc_credentials, infer_arguments, microseconds

T = TypeVar("T")


class AsyncGrpcTransport:
    """See `AsyncTransport`; made inside the event loop that will use it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._closed = False
        self._client = triton.InferenceServerClient(
            connection.endpoint.address, channel_args=channel_options(connection.endpoint.address), **grpc_credentials(connection)
        )

    async def infer(self, call: Call, timeout: float) -> Tensors:
        result = await self._ask(
            self._client.infer(
                **infer_arguments(triton, call),
                headers=dict(call.headers),
                timeout=microseconds(timeout),
                client_timeout=timeout,
            )
        )
        return answered(call, result)

    async def server_ready(self, timeout: float) -> bool:
        return bool(await self._ask(self._client.is_server_ready(headers=dict(self._connection.headers), client_timeout=timeout)))

    async def model_index(self, timeout: float) -> Sequence[Json]:
        headers = dict(self._connection.headers)
        index = await self._ask(self._client.get_model_repository_index(headers=headers, as_json=True, client_timeout=timeout))
        models: Sequence[Json] = index.get("models", [])
        return models

    async def model_config(self, model: str, timeout: float) -> Json:
        headers = dict(self._connection.headers)
        answer = await self._ask(self._client.get_model_config(model, headers=headers, as_json=True, client_timeout=timeout))
        config: Json = answer["config"]
        return config

    async def model_statistics(self, timeout: float) -> Sequence[Json]:
        headers = dict(self._connection.headers)
        statistics = await self._ask(self._client.get_inference_statistics(headers=headers, as_json=True, client_timeout=timeout))
        models: Sequence[Json] = statistics.get("model_stats", [])
        return models

    async def close(self) -> None:
        self._closed = True
        await self._client.close()

    async def _ask(self, question: Awaitable[T]) -> T:
        try:
            return await question
        except InferenceServerException as error:
            raise from_triton(error, self._connection.endpoint) from None
        except (Exception, asyncio.CancelledError):
            if self._closed:  # gRPC's own words for it differ: UsageError before the call, cancellation during it
                raise closed() from None
            raise
