"""Draws an album's pictures into a folder, several at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar


class Named(Protocol):
    """A picture to draw, and the name of its file."""

    @property
    def name(self) -> str: ...


Picture = TypeVar("Picture", bound=Named)


def drawn_into(folder: Path, album: Sequence[Picture], write: Callable[[Picture, Path], Path], processes: int | None) -> Iterator[Path]:
    """Path by path as `write` has drawn them, in processes of their own (None: one a core); other files of the folder are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.name not in {picture.name for picture in album}:
            old.unlink()
    with ProcessPoolExecutor(processes or os.cpu_count() or 1) as pool:
        yield from pool.map(write, album, [folder] * len(album))
