"""The list of a pulled model's files with sizes and checksums, as JSON beside them; and the check of files against it."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from triptych_server.errors import CacheError
from triptych_server.json_text import read_json
from triptych_server.models.listing import HubFile
from triptych_server.models.model_files import is_safe

FILE = "manifest.json"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file: its path below the model's folder, bytes, and the SHA-256 of its content, computed here."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was pulled: from where, which revision was asked for, the commit that it was, and every file."""

    repository: str
    revision: str
    commit: str
    endpoint: str
    files: tuple[ManifestFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def write(self, folder: Path) -> None:
        """Put it into `folder`."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The manifest in `folder`; CacheError when it is damaged."""
        try:
            content = read_json((folder / FILE).read_text("utf-8"))
            files = tuple(ManifestFile(**file) for file in content.pop("files"))
            found = cls(**content, files=files)
            odd = [file.path for file in files if not is_safe(file.path)]
        except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
            raise CacheError(f"{folder / FILE} is damaged ({type(error).__name__}); delete {folder} and pull the model again") from error
        if odd:
            raise CacheError(f"{folder / FILE} names {odd[0]!r}, which is outside of the model's folder; delete {folder} and pull again")
        return found

    def damage(self, folder: Path, seen: Callable[[int], None] = lambda size: None) -> Iterator[str]:
        """Hash every file below `folder` and give a sentence for each that is not as listed; `seen` hears how many bytes were read."""
        for file in self.files:
            path = folder / file.path
            if not path.is_file():
                yield f"{file.path} is missing"
            elif (size := path.stat().st_size) != file.size:
                yield f"{file.path} has {size} bytes, expected {file.size}"
            elif (found := hashed(path)) != file.sha256:
                yield f"{file.path} has changed: its SHA-256 is {found[:12]}…, expected {file.sha256[:12]}…"
            seen(file.size)


def hashed(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def mismatch(path: Path, file: HubFile) -> str | None:
    """How a downloaded file differs from what the hub says it is; None when it is the same."""
    if file.sha256 is not None:
        found = hashed(path)
        return None if found == file.sha256 else f"its SHA-256 is {found}, the hub's {file.sha256}"
    if file.blob is not None:
        found = _git_blob(path)
        return None if found == file.blob else f"its Git checksum is {found}, the hub's {file.blob}"
    return None if path.stat().st_size == file.size else f"it has {path.stat().st_size} bytes, at the hub {file.size}"


def _git_blob(path: Path) -> str:
    """The SHA-1 that Git knows a file's content by."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
