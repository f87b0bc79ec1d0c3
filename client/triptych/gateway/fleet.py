"""Several Tritons as one: each request goes to the one with the least pending, and to another when that one dies or is full.

Where there is no other, the request waits a little for the one that is being healed: inference may be asked twice.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from triptych.async_client import AsyncClient
from triptych.endpoint import Endpoint
from triptych.errors import ModelLost, NotFound, Overloaded, ServerUnreachable, TriptychError
from triptych.gateway.backend import Backend
from triptych.gateway.names import not_served, same_model
from triptych.gateway.refusals import NotReady, NotServed
from triptych.gateway.served import Served
from triptych.retry import RetryPolicy
from triptych.tls import TLS

T = TypeVar("T")
HEAL_SECONDS = 15.0
"""How long after a Triton was lost its requests wait for it: a model is loaded anew in 2 s, a server with small models in 8."""
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Models:
    """What a request is to be answered by: names as the caller spells them, None for what it does not need."""

    clip: str | None = None
    faces: str | None = None

    def named(self) -> Iterator[tuple[str, str]]:
        """Task and name of each."""
        return ((task, name) for task, name in (("clip", self.clip), ("faces", self.faces)) if name is not None)

    def are(self, served: Served) -> bool:
        """Whether a server has all of them, and both from one decoding."""
        there = all(same_model(name, there) for task, name in self.named() if (there := served.name(task)) is not None)
        lacking = any(served.name(task) is None for task, _ in self.named())
        return there and not lacking and (served.photo or self.clip is None or self.faces is None)


class _Forgotten(ModelLost):
    """The backend is well again; only this request is not."""


class Fleet:
    """The backends, watched while `running` is entered. `lost` is called with the URL for each request that one lost or turned away."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        names: Mapping[str, str],
        timeout: float,
        headers: Mapping[str, str] | None = None,
        tls: TLS | None = None,
        lost: Callable[[str], None] = lambda url: None,
    ) -> None:
        self.backends = [
            Backend(
                url,
                AsyncClient(
                    url, timeout=timeout, headers=headers, tls=tls if Endpoint.parse(url).secure else None, retry=RetryPolicy.never()
                ),
                names,
            )
            for url in urls
        ]
        self._lost = lost

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look after the backends inside the block; close their connections at its end."""
        watches = [asyncio.create_task(backend.watch()) for backend in self.backends]
        try:
            yield
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)
            await asyncio.gather(*(backend.client.close() for backend in self.backends))

    @property
    def ready(self) -> list[Backend]:
        """Backends with every model loaded and warm."""
        return [backend for backend in self.backends if backend.served is not None]

    def dims(self, models: Models) -> set[int]:
        """Lengths of the embeddings that the ready backends give that serve `models`."""
        return {served.dim for backend in self.ready if (served := backend.served) is not None and models.are(served)} - {0}

    async def ask(self, models: Models, question: Callable[[AsyncClient], Coroutine[Any, Any, T]]) -> T:
        """The answer of one of the backends that serve `models`; each is tried once, and once more when it was lost and is ready again.

        Raises NotServed, NotReady, or the last backend's own error. Nothing is asked twice but what was lost or turned away. Who cancels it
        waits for a request that is under way: Triton 2.51 sometimes crashes when one is broken off.
        """
        try:
            return await self._ask_each(models, question)
        except (ServerUnreachable, ModelLost, NotReady):
            if not await self._healed(models):
                raise
        return await self._ask_each(models, question)  # and no oftener: it may be what the process died of

    async def _ask_each(self, models: Models, question: Callable[[AsyncClient], Coroutine[Any, Any, T]]) -> T:
        tried: set[Backend] = set()
        failure: TriptychError | None = None
        while (backend := self._least_pending(models, tried)) is not None:
            tried.add(backend)
            backend.pending += 1
            try:
                return await _asked(backend, question)
            except (ServerUnreachable, ModelLost, Overloaded, NotFound) as error:  # the last: its model was there a moment ago
                if not isinstance(error, Overloaded | NotFound | _Forgotten):
                    backend.lost(str(error))
                failure = error
                self._lost(backend.url)
            finally:
                backend.pending -= 1
        raise failure or self._nobody(models)

    async def _healed(self, models: Models) -> bool:
        """Wait until a backend that was lost is ready again, or another is; False when that takes too long."""
        while any(time.monotonic() < backend.lost_at + HEAL_SECONDS for backend in self.backends):
            await asyncio.sleep(_POLL_SECONDS)
            if self._least_pending(models, set()) is not None:
                return True
        return False

    def _least_pending(self, models: Models, tried: set[Backend]) -> Backend | None:
        able = [backend for backend in self.ready if backend not in tried and backend.served is not None and models.are(backend.served)]
        return min(able, key=lambda backend: backend.pending, default=None)

    def _nobody(self, models: Models) -> TriptychError:
        ready = [backend.served for backend in self.ready if backend.served is not None]
        if not ready:
            return NotReady("no Triton is ready: " + "; ".join(f"{backend.url}: {backend.reason}" for backend in self.backends))
        for task, name in models.named():
            there = [served.name(task) for served in ready]
            if not any(served is not None and same_model(name, served) for served in there):
                return not_served(name, task, there)
        return NotServed("CLIP and faces in one request want the model `photo`, which is not served; send two requests")


async def _asked(backend: Backend, question: Callable[[AsyncClient], Coroutine[Any, Any, T]]) -> T:
    """The answer; _Forgotten when the backend was lost and healed meanwhile, and does not answer what it was asked before."""
    answer = asyncio.create_task(question(backend.client))
    try:
        async with backend.patience() as patience:
            try:
                return await asyncio.shield(answer)
            except asyncio.CancelledError:  # its caller is gone; Triton 2.51 sometimes crashes when a request is broken off
                if not (patience.expired() or answer.done()):
                    await asyncio.wait({answer})
                raise
    except TimeoutError:
        if patience.expired():
            raise _Forgotten("the server was healed, and has forgotten this request") from None
        raise
    finally:
        if answer.done() and not answer.cancelled():
            answer.exception()  # nobody else may be told
        answer.cancel()
