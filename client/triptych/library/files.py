"""A folder on the disk -> the photos in it, with the size and time by which a changed one is told."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from triptych.library.errors import LibraryError

EXTENSIONS = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif"})


@dataclass(frozen=True, slots=True)
class File:
    """One photo as it lies on the disk: absolute path, bytes, nanoseconds since 1970."""

    path: str
    size: int
    mtime_ns: int


@dataclass(slots=True)
class Walk:
    """What was found below some folders. `unread`: folders that could not be looked into; `odd`: names that are not Unicode."""

    files: dict[str, File] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)


def resolved(folder: Path) -> str:
    """A folder's absolute path, links followed. Raises LibraryError."""
    if not folder.is_dir():
        raise LibraryError(f"{folder} is no folder")
    return str(folder.resolve())


def walk(folders: list[str]) -> Walk:
    """All photos by their extension; hidden files and folders are left out, links to folders not followed."""
    found = Walk()
    for folder in folders:
        for file in _files(folder, found):
            if not _unicode(file.path):
                found.odd.append(os.fsencode(file.path).decode("utf-8", "replace"))
            else:
                found.files[file.path] = File(file.path, *_stamp(file))
    return found


def below(folder: str) -> tuple[str, str]:
    """The half-open range of paths that lie in a folder, in order of text."""
    prefix = folder.rstrip(os.sep) + os.sep
    return prefix, prefix[:-1] + chr(ord(os.sep) + 1)


def _files(folder: str, found: Walk) -> Iterator["os.DirEntry[str]"]:
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError:
            found.unread.append(place)
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif Path(entry.name).suffix.lower() in EXTENSIONS and _is_file(entry):
                yield entry


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link in a circle, or into a folder that is closed; reading it will say so
        return True


def _stamp(entry: "os.DirEntry[str]") -> tuple[int, int]:
    try:
        status = entry.stat()
    except OSError:  # it went since it was listed, or is such a link; reading it will say so
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _unicode(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
