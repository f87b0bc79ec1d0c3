"""A model folder of any kind to the use that it is made for: CLIP or faces, told by what lies in it."""

from pathlib import Path

from triptych_server.errors import ModelImportError
from triptych_server.models.use import use_folder
from triptych_server.models.use_faces import use_faces
from triptych_server.repository import Repository


def use_any(folder: Path, repository: Repository) -> tuple[Path, ...]:
    """Import the model in `folder` and serve it from the next load on; returns the files of the repository that changed.

    ModelImportError, with the repository as it was, when the folder is neither a CLIP's nor a face pack's.
    """
    if not folder.is_dir():
        raise ModelImportError(
            f"{folder} is no folder; expected one as a hub gives it, with visual/ and textual/, or detection/ and recognition/"
        )
    if (folder / "visual").is_dir() or (folder / "textual").is_dir():
        return use_folder(folder, repository).files
    return use_faces(folder, repository).files
