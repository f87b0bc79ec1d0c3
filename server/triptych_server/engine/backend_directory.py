"""Triton takes one backend directory: merge the backends of the Triton that was found with ours."""

import shutil
from collections.abc import Collection
from pathlib import Path

from triptych_server.engine.triton import STUB, Triton


def build_backend_directory(target: Path, triton: Triton, ours: Path, instead: Collection[str] = ()) -> Path:
    """Fill `target` (an empty folder): Triton's own backends, the Python backend with the right stub, and ours wherever
    Triton has no native backend of that name, or where ours is wanted `instead`. Returns `target`.

    Folders are links. The Python backend is a copy (8 MB): Triton refuses a library that is itself a link to elsewhere.
    """
    for backend in sorted(triton.backends.iterdir()):
        if backend.is_dir() and backend.name not in ("python", *instead):
            (target / backend.name).symlink_to(backend)
    python = target / "python"
    python.mkdir()
    for file in (triton.backends / "python").iterdir():
        if file.is_file():
            shutil.copy2(file, python / file.name)
    shutil.copy2(triton.stub, python / STUB)
    for backend in sorted(ours.iterdir()):
        if (backend / "model.py").is_file() and not (target / backend.name).exists():
            (target / backend.name).symlink_to(backend)
    return target
