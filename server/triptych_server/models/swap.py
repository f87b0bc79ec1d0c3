"""Put several files in place as one change: all of them, or none; for good when what follows goes well, also when the process is killed."""

import contextlib
import errno
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from triptych_server.errors import ConfigError

JOURNAL = "replacing.json"
"""Lists what is being replaced; while it is there, the change is not made."""
MARK = ".old-"
"""In the names of files that are kept until it is."""
_KEPT = re.compile(rf"{re.escape(MARK)}[0-9a-f]{{8}}(\.new)?$")


@dataclass(frozen=True, slots=True)
class _Journal:
    """What to put back: targets with the names under which their old files are kept (empty where there is none), and new folders."""

    file: Path
    kept: Mapping[str, str]
    folders: Sequence[str]

    def write(self) -> None:
        """Whole, or not at all."""
        new = self.file.with_name(f".{self.file.name}.new")
        new.write_text(json.dumps({"kept": dict(self.kept), "folders": list(self.folders)}), encoding="utf-8")
        _on_disk(new)
        new.replace(self.file)
        _on_disk(self.file.parent)

    def undo(self) -> None:
        """Put back what was replaced so far, and forget the change."""
        for target, old in ((Path(target), Path(old) if old else None) for target, old in self.kept.items()):
            if old is None:
                target.unlink(missing_ok=True)
            elif old.exists():
                old.replace(target)
                old.unlink(missing_ok=True)  # where the target was still the same file, the move did nothing
        for folder in map(Path, reversed(self.folders)):
            with contextlib.suppress(OSError):
                folder.rmdir()
        self.file.unlink(missing_ok=True)


@contextlib.contextmanager
def replaced_files(changes: Mapping[Path, Path], folder: Path) -> Iterator[None]:
    """Move each new file (value) to its target (key). When one move fails, or the block raises, all are undone; when the process is
    killed, the next `recover` with the same `folder`, which holds the journal, undoes them.

    Whoever opens a target meanwhile finds the old or the new file whole.
    """
    mark = f"{MARK}{secrets.token_hex(4)}"
    kept = {str(target): str(target.with_name(f".{target.name}{mark}")) if target.exists() else "" for target in changes}
    missing = {parent for target in changes for parent in target.parents if not parent.exists()}
    journal = _Journal(folder / JOURNAL, kept, sorted(map(str, missing)))
    for new in filter(Path.is_file, changes.values()):
        _on_disk(new)  # before the old files may go, should the power fail
    journal.write()
    try:
        for target, new in changes.items():
            if old := kept[str(target)]:
                _link(target, Path(old))
            target.parent.mkdir(parents=True, exist_ok=True)
            _move(new, target, mark)
        yield
    except BaseException:
        journal.undo()
        raise
    journal.file.unlink()  # from here on the change is made
    for old in filter(None, kept.values()):
        Path(old).unlink(missing_ok=True)


def recover(folder: Path, roots: Sequence[Path]) -> bool:
    """Undo a change whose process was killed, and remove what such a one left below `roots`; whether there was one to undo."""
    journal = folder / JOURNAL
    killed = journal.exists()
    if killed:
        try:
            content = json.loads(journal.read_text(encoding="utf-8"))
            kept, folders = content["kept"], content["folders"]
        except (ValueError, KeyError, TypeError):
            raise ConfigError(
                f"{journal}, which says what an earlier change of models replaced, is damaged; rename the files `.<name>{MARK}…` below "
                f"{', '.join(root.name for root in roots)} to <name> where there are any, and delete it"
            ) from None
        _Journal(journal, kept, folders).undo()
    for root in roots:
        for left in (file for file in root.rglob(f".*{MARK}*") if _KEPT.search(file.name)):
            left.unlink(missing_ok=True)
    return killed


def _on_disk(path: Path) -> None:
    """Wait until a file, or what a folder lists, has reached the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _link(target: Path, old: Path) -> None:
    """A second name for the file that will be replaced."""
    try:
        os.link(target, old)
    except OSError:  # a file system without hard links
        shutil.copy2(target, old)


def _move(new: Path, target: Path, mark: str) -> None:
    """Also onto another file system, as where a container has one of the folders on a volume of its own."""
    try:
        new.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = target.with_name(f".{target.name}{mark}.new")
        try:
            shutil.copy2(new, beside)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
