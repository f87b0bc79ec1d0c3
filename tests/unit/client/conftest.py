"""Both protocols, blocking and asyncio, against a scripted server."""

import asyncio
import inspect
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.client.scripted_server import Script, grpc_server, http_server
from triptych import AsyncClient, Client

Ask = Callable[..., Any]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture(params=["grpc", "http"])
def url(request: pytest.FixtureRequest, script: Script) -> Iterator[str]:
    serve = {"grpc": grpc_server, "http": http_server}[request.param]
    with serve(script) as address:
        yield f"{request.param}://{address}"


@pytest.fixture(params=["blocking", "asyncio"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """`ask(url, client options, method, *arguments, **named)`: the method's result, whichever kind of client it is."""

    def blocking(url: str, options: dict[str, Any], method: str, *arguments: Any, **named: Any) -> Any:
        with Client(url, **options) as client:
            result = getattr(client, method)(*arguments, **named)
            return list(result) if inspect.isgenerator(result) else result

    def through_asyncio(url: str, options: dict[str, Any], method: str, *arguments: Any, **named: Any) -> Any:
        async def main() -> Any:
            async with AsyncClient(url, **options) as client:
                result = getattr(client, method)(*arguments, **named)
                return [item async for item in result] if inspect.isasyncgen(result) else await result

        return asyncio.run(main())

    return {"blocking": blocking, "asyncio": through_asyncio}[request.param]


@pytest.fixture(params=["grpc", "http"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
