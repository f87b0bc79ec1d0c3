"""What the page stands on while the gateway runs: the library, the Tritons, copies of photos, the index run, and threads for all of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import TypeVar

from triptych.gateway.fleet import Fleet
from triptych.gateway.refusals import Busy
from triptych.gateway.settings import GatewaySettings
from triptych.library import Library, LibraryError
from triptych.page.cache import Cache
from triptych.page.copies import Copies
from triptych.page.indexing import IndexJob
from triptych.page.settings import PageSettings
from triptych.page.tritons import Tritons
from triptych.page.workers import Workers

_ANSWER_SECONDS = 30.0  # of a Triton, at most: somebody is looking, and the program's end waits for it
_LOOK_SECONDS = 0.2  # between two looks whether a Triton is ready
_UPLOADS = 4  # pictures sent at a time
T = TypeVar("T")


class Page:
    """Opens the library's file. The event loop never waits for the disk, for SQLite or for a blocking client."""

    def __init__(self, settings: PageSettings, gateway: GatewaySettings, fleet: Fleet) -> None:
        self.settings, self.gateway = settings, gateway
        self.library = Library.open(settings.library)
        self.tritons = Tritons(fleet, min(gateway.timeout, _ANSWER_SECONDS), gateway, settings)
        self.copies = Copies(self.library, Cache(settings.cache, settings.cache_bytes), gateway.max_pixels)
        self.indexing = IndexJob(self.library.file, self.tritons.client)
        self._desk = Workers("page", threads=8, waiting=128)
        self._uploads = 0

    async def ask(self, function: Callable[[], T]) -> T:
        """What the library or a Triton says."""
        return await self._desk.run(function)

    @contextmanager
    def uploading(self) -> Iterator[None]:
        """The place of one picture that is sent and held in memory. Raises Busy."""
        if self._uploads >= _UPLOADS:
            raise Busy("others are searching by a picture just now; ask again in a moment")
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Index the folders that were named, as soon as a Triton is ready; close everything at the end."""
        first = asyncio.create_task(self._index_first())
        try:
            yield
        finally:
            first.cancel()
            await asyncio.to_thread(self._close)

    async def _index_first(self) -> None:
        if not self.settings.folders:
            return
        self.indexing.wait()
        while True:
            with suppress(LibraryError, Busy):  # another run is going on, or many are asking: it waits for them
                if self.tritons.ready:
                    await self.ask(lambda: self.indexing.start(self.settings.folders))
                    return
            await asyncio.sleep(_LOOK_SECONDS)

    def _close(self) -> None:
        """End the index run and the threads, then what they use."""
        with ExitStack() as stack:
            for each in (self.library, self.tritons, self._desk, self.copies, self.indexing):  # from the last to the first
                stack.callback(each.close)
