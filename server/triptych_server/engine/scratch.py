"""Each start's folder for temporary files (the merged backends, 8 MB), named by its owner like the shared-memory regions."""

import shutil
import tempfile
from pathlib import Path

from triptych_server.engine.shared_memory import is_owner_gone


def new_scratch(prefix: str) -> Path:
    """An empty folder of this user's own."""
    folder = _parent() / prefix.rstrip("_")
    folder.mkdir(mode=0o700)
    return folder


def remove_stale_scratch() -> None:
    """Remove the folders of engines of this PID namespace that were killed; another user's stay."""
    for folder in _parent().glob("triptych_*"):
        if is_owner_gone(f"{folder.name}_"):
            shutil.rmtree(folder, ignore_errors=True)


def _parent() -> Path:
    return Path(tempfile.gettempdir())
