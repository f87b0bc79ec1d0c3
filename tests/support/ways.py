"""The four ways to ask a server: blocking or with asyncio, over gRPC or HTTP."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from triptych import AsyncClient, Client

Ask = Callable[..., Any]
KINDS, PROTOCOLS = ("blocking", "asyncio"), ("grpc", "http")
WAYS = [(kind, protocol) for kind in KINDS for protocol in PROTOCOLS]


def asking(kind: str, url: str, **options: Any) -> Ask:
    """`ask(method, *arguments)`: the method's result from a client of its own."""

    def blocking(method: str, *arguments: Any, **named: Any) -> Any:
        with Client(url, **options) as client:
            result = getattr(client, method)(*arguments, **named)
            return list(result) if inspect.isgenerator(result) else result

    def through_asyncio(method: str, *arguments: Any, **named: Any) -> Any:
        async def main() -> Any:
            async with AsyncClient(url, **options) as client:
                result = getattr(client, method)(*arguments, **named)
                return [item async for item in result] if inspect.isasyncgen(result) else await result

        return asyncio.run(main())

    return {"blocking": blocking, "asyncio": through_asyncio}[kind]


def url_of(engine: Any, protocol: str) -> str:
    return str({"grpc": engine.grpc_url, "http": engine.http_url}[protocol])
