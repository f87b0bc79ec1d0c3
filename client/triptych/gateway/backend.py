"""One Triton behind the gateway: whether it is ready and warm, what it serves, and how many requests it has."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from triptych import on_demand
from triptych.async_client import AsyncClient
from triptych.errors import DeadlineExceeded, NotFound, TriptychError
from triptych.gateway.served import Served, look, warm

LOOK_SECONDS = 1.0
"""Between two looks at a Triton; for so long a change of its models may go unseen."""
LOOK_TIMEOUT = 5.0
LATE_SECONDS = 5.0
"""After a Triton is ready again, who was asked before has so long to answer: a process that died with its requests never does."""

_log = logging.getLogger(__name__)


class Backend:
    """`served` is None while it is not ready; `reason` says why then. `pending`: requests under way there."""

    def __init__(self, url: str, client: AsyncClient, names: Mapping[str, str]) -> None:
        self.url = url
        self.client = client
        self.pending = 0
        self.served: Served | None = None
        self.reason = "not asked yet"
        self.lost_at = -math.inf  # by time.monotonic
        self._patience = set[asyncio.Timeout]()  # of the requests under way
        self._names = names
        self._warm = False

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Ask whether it is ready and what it serves; models of a server that was not there are warmed up before anybody else asks them."""
        try:
            if not (await self.client.server_ready(timeout=LOOK_TIMEOUT) or await self._loads_on_demand()):
                self.lost("its models are not ready")
                return
            served = await look(self.client, LOOK_TIMEOUT, self._names)
            if served.clip is None and served.faces is None:
                self.lost("it serves neither search nor faces")
                return
            if not self._warm:
                await warm(self.client, served)
                self._warm = True
        except DeadlineExceeded as error:  # slow, not new: what it has loaded is as warm as it was, and idle models may stay idle
            self.lost(str(error), cold=False)
        except TriptychError as error:
            self.lost(str(error))
        except Exception as error:  # the watch must outlive whatever a look runs into
            _log.exception("looking at %s failed", self.url)
            self.lost(f"{type(error).__name__}: {error}")
        else:
            self._found(served)

    async def _loads_on_demand(self) -> bool:
        """Whether it unloads idle models: then Triton calls itself not ready while one comes or goes, and answers all the same."""
        try:
            await self.client.model_config(on_demand.MODEL, timeout=LOOK_TIMEOUT)
        except NotFound:
            return False
        return True

    @asynccontextmanager
    async def patience(self) -> AsyncIterator[asyncio.Timeout]:
        """For one request: TimeoutError when it was lost and is ready again, since LATE_SECONDS."""
        async with asyncio.timeout(None) as patience:
            self._patience.add(patience)
            try:
                yield patience
            finally:
                self._patience.discard(patience)

    def lost(self, reason: str, *, cold: bool = True) -> None:
        """It does not answer; no request goes there until it does again, and is warmed up first where it may be `cold` then."""
        self._warm = self._warm and not cold
        if self.served is not None:
            _log.warning("%s is not ready any more: %s", self.url, reason)
            self.lost_at = time.monotonic()
        self.served, self.reason = None, reason

    def _found(self, served: Served) -> None:
        if self.served is None:
            for patience in self._patience:
                if patience.when() is None:
                    patience.reschedule(asyncio.get_running_loop().time() + LATE_SECONDS)
        if self.served != served:
            _log.info("%s is ready: CLIP %s, faces %s", self.url, *(_shown(served.name(task)) for task in ("clip", "faces")))
        self.served, self.reason = served, ""


def _shown(name: str | None) -> str:
    return "not served" if name is None else name or "without a name"
