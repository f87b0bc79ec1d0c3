"""The files of a machine, read below any root: `/`, or a recorded tree of another machine. Reading never fails: what is not there,
or may not be read, is empty."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

READ_LIMIT = 1 << 20
"""Bytes of one file; /proc/cpuinfo of 256 processors is below half of that."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Paths are given without the leading slash, as `proc/cpuinfo`."""

    root: Path = Path("/")

    @property
    def live(self) -> bool:
        """Whether this is the running machine, which can be asked more than its files."""
        return self.root.absolute() == Path("/")

    def data(self, path: str | Path) -> bytes:
        """The first MiB of a file."""
        try:
            with (self.root / path).open("rb") as file:
                return file.read(READ_LIMIT)
        except (OSError, ValueError):
            return b""

    def text(self, path: str | Path) -> str:
        """A file as text, stripped; bytes that are no UTF-8 are replaced."""
        return self.data(path).decode("utf-8", "replace").strip("\0 \t\r\n")

    def words(self, path: str | Path) -> tuple[str, ...]:
        """A file of NUL-separated strings, as in the device tree and /proc/*/environ."""
        return tuple(word.decode("utf-8", "replace") for word in self.data(path).split(b"\0") if word)

    def exists(self, path: str | Path) -> bool:
        """Whether there is anything at the path, a device node too."""
        try:
            return (self.root / path).exists()
        except (OSError, ValueError):
            return False

    def glob(self, pattern: str) -> list[Path]:
        """Paths below the root that match, sorted, relative to it."""
        try:
            return sorted(path.relative_to(self.root) for path in self.root.glob(pattern))
        except (OSError, ValueError):
            return []

    def environment(self) -> Mapping[str, str]:
        """The environment variables; of a recorded tree those in proc/self/environ."""
        if self.live:
            return os.environ
        pairs = (word.partition("=") for word in self.words("proc/self/environ"))
        return {name: value for name, _, value in pairs}
