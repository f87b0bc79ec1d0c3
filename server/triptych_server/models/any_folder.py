"""A model folder of any kind to the use that it is made for: CLIP or faces, told by what lies in it."""

from dataclasses import dataclass
from pathlib import Path

from triptych_server.errors import ModelImportError
from triptych_server.models.catalogue import Task
from triptych_server.models.served_names import ServedName
from triptych_server.models.use import use_folder
from triptych_server.models.use_faces import use_faces
from triptych_server.repository import Repository


@dataclass(frozen=True, slots=True)
class Placed:
    """What the model is for, the files of the repository that changed, and how many running engines changed over."""

    task: Task
    files: tuple[Path, ...]
    swapped: int


def use_any(
    folder: Path, repository: Repository, *, name: ServedName | None = None, legacy_resize: bool = False, swap: bool = True
) -> Placed:
    """Import the model in `folder`, `name` where it is of the cache, and serve it: at once where engines run, unless `swap` is False;
    `legacy_resize` as in use_folder.

    ModelImportError, with all as it was, when the folder is neither a CLIP's nor a face pack's, or the model cannot be served.
    """
    if not folder.is_dir():
        raise ModelImportError(
            f"{folder} is no folder; expected one as a hub gives it, with visual/ and textual/, or detection/ and recognition/"
        )
    if (folder / "visual").is_dir() or (folder / "textual").is_dir():
        clip = use_folder(folder, repository, name=name, legacy_resize=legacy_resize, swap=swap)
        return Placed("clip", clip.files, clip.swapped)
    if legacy_resize:
        raise ModelImportError(f"{folder.name} is a face model; --legacy-resize is for CLIPs")
    faces = use_faces(folder, repository, name=name, swap=swap)
    return Placed("faces", faces.files, faces.swapped)
