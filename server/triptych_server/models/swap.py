"""Put several files in place as one change: all of them, or none; for good when what follows goes well."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path


@contextlib.contextmanager
def replaced_files(changes: Mapping[Path, Path]) -> Iterator[None]:
    """Move each new file (value) to its target (key); both lie on one file system. When one move fails, or the block raises, all
    are undone.

    Whoever opens a target meanwhile finds the old or the new file whole.
    """
    mark = f".old-{secrets.token_hex(4)}"
    kept: dict[Path, Path | None] = {}
    try:
        for target, new in changes.items():
            kept[target] = _keep(target, mark)
            new.replace(target)
        yield
    except BaseException:
        for target, old in kept.items():
            if old is None:
                target.unlink(missing_ok=True)
            else:
                old.replace(target)
                old.unlink(missing_ok=True)  # where the target was still the same file, the move did nothing
        raise
    for old in filter(None, kept.values()):
        with contextlib.suppress(FileNotFoundError):
            old.unlink()


def _keep(target: Path, mark: str) -> Path | None:
    """A second name for the file that will be replaced; None when there is none yet."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        return None
    old = target.with_name(f".{target.name}{mark}")
    try:
        os.link(target, old)
    except OSError:  # a file system without hard links
        shutil.copy2(target, old)
    return old
