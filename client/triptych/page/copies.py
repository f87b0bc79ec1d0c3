"""Small copies of photos for the page: from the cache, or made by few threads at a time."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from triptych.library import Library, Photo
from triptych.page.cache import Cache
from triptych.page.files import opened
from triptych.page.renditions import Rendition
from triptych.page.workers import Workers

_MOST_THREADS = 8


@dataclass(frozen=True, slots=True)
class Copy:
    """`key` changes with the file and the rendition. `data`: a JPEG; None for who has it already."""

    photo: Photo
    rendition: Rendition
    key: str
    data: bytes | None


class Copies:
    """Of the photos of one library, none of which may have more than `max_pixels`."""

    def __init__(self, library: Library, cache: Cache, max_pixels: int) -> None:
        self._library, self._cache, self._max_pixels = library, cache, max_pixels
        # What is kept does not wait for what is made.
        self._lookers = Workers("kept", threads=4, waiting=1024)  # a phone scrolls through hundreds
        self._makers = Workers("copies", threads=max(2, min(_MOST_THREADS, os.cpu_count() or 2)), waiting=1024)

    async def copy(self, find: Callable[[], tuple[Photo, Rendition]], known: str) -> Copy:
        """The copy that `find` names; `known`: what the caller has, as an ETag header says.

        Raises NotInLibrary, InvalidInput for a file that cannot be decoded, and Busy.
        """
        found = await self._lookers.run(self._look, find, known)
        if found.data is not None or found.key in known:
            return found
        return replace(found, data=await self._makers.run(self._make, found))

    def close(self) -> None:
        """Wait for the copy at hand."""
        self._lookers.close()
        self._makers.close()

    def _look(self, find: Callable[[], tuple[Photo, Rendition]], known: str) -> Copy:
        photo, rendition = find()
        with opened(photo, self._library.folders) as file:
            status = os.fstat(file.fileno())
        told = f"{photo.path} {status.st_size} {status.st_mtime_ns} {rendition.key()}"
        key = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
        return Copy(photo, rendition, key, None if key in known else self._cache.get(key))

    def _make(self, copy: Copy) -> bytes:
        with opened(copy.photo, self._library.folders) as file:
            data = copy.rendition.make(file, self._max_pixels)
        self._cache.put(copy.key, data)
        return data
