"""Small copies of photos on the disk, up to so many bytes; those that were not looked at for longest go first."""

import contextlib
import os
import threading
from pathlib import Path

_ROOM = 0.9  # of the limit is kept when room is made, so that it is not made again at once


class Cache:
    """Files by key (letters and digits); any number of threads. The folder is this program's own, and only its user can look into it."""

    def __init__(self, folder: Path, limit: int) -> None:
        """`limit`: bytes."""
        self._folder, self._limit = folder, limit
        self._lock = threading.Lock()
        self._size: int | None = None  # bytes; not counted yet

    def get(self, key: str) -> bytes | None:
        """What was kept, and None when it is not there any more."""
        file = self._file(key)
        try:
            data = file.read_bytes()
        except OSError:
            return None
        with contextlib.suppress(OSError):
            os.utime(file)  # was looked at now
        return data

    def put(self, key: str, data: bytes) -> None:
        """Keep something. A full or read-only disk keeps nothing, and that is all that happens."""
        file = self._file(key)
        new = file.with_name(f".{key}.{threading.get_ident()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.parent.mkdir(exist_ok=True)
            new.write_bytes(data)
            new.replace(file)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink()
            return
        with self._lock:
            self._size = (self._counted() if self._size is None else self._size) + len(data)
            if self._size > self._limit:
                self._make_room()

    def _file(self, key: str) -> Path:
        return self._folder / key[:2] / key

    def _kept(self) -> list[tuple[float, int, Path]]:
        found = []
        for file in self._folder.glob("??/*"):
            with contextlib.suppress(OSError):
                status = file.stat()
                found.append((status.st_mtime, status.st_size, file))
        return found

    def _counted(self) -> int:
        return sum(size for _, size, _ in self._kept())

    def _make_room(self) -> None:
        kept = sorted(self._kept())
        total = sum(size for _, size, _ in kept)
        for _, size, file in kept:
            if total <= self._limit * _ROOM:
                break
            with contextlib.suppress(OSError):
                file.unlink()
            total -= size
        self._size = total
