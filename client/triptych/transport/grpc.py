"""gRPC for threads: tritonclient's client, which is thread-safe for everything but streams."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from triptych.calls import Call
from triptych.transport.base import Connection, Json, Tensors
from triptych.transport.failures import closed, from_triton
from triptych.transport.tensors import answered, channel_options, grpc_credentials, infer_arguments, microseconds

T = TypeVar("T")


class GrpcTransport:
    """See `Transport`; all threads share one channel, so their requests share one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = triton.InferenceServerClient(
            connection.endpoint.address, channel_args=channel_options(connection.endpoint.address), **grpc_credentials(connection)
        )

    def infer(self, call: Call, timeout: float) -> Tensors:
        arguments = infer_arguments(triton, call)
        result = self._ask(
            lambda: self._client.infer(**arguments, headers=dict(call.headers), timeout=microseconds(timeout), client_timeout=timeout)
        )
        return answered(call, result)

    def server_ready(self, timeout: float) -> bool:
        headers = dict(self._connection.headers)
        return bool(self._ask(lambda: self._client.is_server_ready(headers=headers, client_timeout=timeout)))

    def model_index(self, timeout: float) -> Sequence[Json]:
        headers = dict(self._connection.headers)
        index = self._ask(lambda: self._client.get_model_repository_index(headers=headers, as_json=True, client_timeout=timeout))
        models: Sequence[Json] = index.get("models", [])
        return models

    def model_config(self, model: str, timeout: float) -> Json:
        headers = dict(self._connection.headers)
        config: Json = self._ask(lambda: self._client.get_model_config(model, headers=headers, as_json=True, client_timeout=timeout))[
            "config"
        ]
        return config

    def model_statistics(self, timeout: float) -> Sequence[Json]:
        headers = dict(self._connection.headers)
        statistics = self._ask(lambda: self._client.get_inference_statistics(headers=headers, as_json=True, client_timeout=timeout))
        models: Sequence[Json] = statistics.get("model_stats", [])
        return models

    def close(self) -> None:
        self._client.close()

    def _ask(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except InferenceServerException as error:
            raise from_triton(error, self._connection.endpoint) from None
        except ValueError:  # "Cannot invoke RPC on closed channel!"
            raise closed() from None
