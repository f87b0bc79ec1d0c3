"""What a hub says is in a repository: the commit, and every needed file with its size and checksum."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file as the hub describes it. `sha256` of those in large-file storage; `blob`: git's SHA-1 of the others."""

    path: str
    size: int
    sha256: str | None = None
    blob: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The needed files of a repository at a commit, which `revision` named when it was asked."""

    repository: str
    revision: str
    commit: str
    files: tuple[HubFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)
