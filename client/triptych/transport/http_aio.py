"""HTTP for asyncio: tritonclient over aiohttp."""

import asyncio
import os
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import aiohttp
import tritonclient.http.aio as triton
from tritonclient.utils import InferenceServerException

from triptych.calls import Call
from triptych.errors import DeadlineExceeded
from triptych.tls import TLS
from triptych.transport.base import Connection, Json, Tensors
from triptych.transport.failures import NO_ANSWER, closed, from_triton, unreachable
from triptych.transport.tensors import answered, infer_arguments, microseconds

T = TypeVar("T")


class AsyncHttpTransport:
    """See `AsyncTransport`; made inside the event loop that will use it. Connections are kept and shared."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        endpoint = connection.endpoint
        self._client = triton.InferenceServerClient(
            endpoint.address + endpoint.path,
            conn_limit=0,  # callers bound their own concurrency; a request must not wait here unseen
            conn_timeout=None,  # each request brings its own
            ssl=endpoint.secure,
            ssl_context=(connection.tls or TLS()).context() if endpoint.secure else True,
        )

    async def infer(self, call: Call, timeout: float) -> Tensors:
        question = self._client.infer(**infer_arguments(triton, call), headers=dict(call.headers), timeout=microseconds(timeout))
        result = await self._ask(question, timeout)
        return answered(call, result)

    async def server_ready(self, timeout: float) -> bool:
        return bool(await self._ask(self._client.is_server_ready(headers=dict(self._connection.headers)), timeout))

    async def model_index(self, timeout: float) -> Sequence[Json]:
        headers = dict(self._connection.headers)
        models: Sequence[Json] = await self._ask(self._client.get_model_repository_index(headers=headers), timeout)
        return models

    async def model_config(self, model: str, timeout: float) -> Json:
        headers = dict(self._connection.headers)
        config: Json = await self._ask(self._client.get_model_config(model, headers=headers), timeout)
        return config

    async def model_statistics(self, timeout: float) -> Sequence[Json]:
        headers = dict(self._connection.headers)
        statistics = await self._ask(self._client.get_inference_statistics(headers=headers), timeout)
        models: Sequence[Json] = statistics.get("model_stats", [])
        return models

    async def close(self) -> None:
        await self._client.close()

    async def _ask(self, question: Awaitable[T], timeout: float) -> T:
        endpoint = self._connection.endpoint
        try:
            async with asyncio.timeout(timeout):
                return await question
        except InferenceServerException as error:
            raise from_triton(error, endpoint) from None
        except TimeoutError:
            raise DeadlineExceeded(NO_ANSWER) from None
        except aiohttp.ClientResponseError:
            raise unreachable(endpoint, "what answers does not speak HTTP") from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise unreachable(endpoint, f"its certificate is not trusted: {error.certificate_error}") from None
        except aiohttp.ClientConnectorError as error:
            raise unreachable(endpoint, _reason(error.os_error)) from None
        except aiohttp.ClientError as error:
            raise unreachable(endpoint, str(error) or type(error).__name__) from None
        except RuntimeError:  # "Session is closed"
            raise closed() from None
        except (ValueError, KeyError):  # a 200 that is not in Triton's JSON
            raise unreachable(endpoint, "what answers is another web server") from None


def _reason(error: OSError) -> str:
    if error.errno is not None and error.errno > 0:  # asyncio's own text repeats the address
        return os.strerror(error.errno)
    return error.strerror or str(error)
