"""Make a face model folder the served model: import both graphs, rewrite the configs, put everything in place as one change."""

from dataclasses import dataclass
from pathlib import Path

from triptych_server.disk import size_of
from triptych_server.models.change import Dims, one_change
from triptych_server.models.face_folder import FaceFolder
from triptych_server.models.import_faces import import_detector, import_embedder
from triptych_server.models.report import DetectorReport, ImportReport
from triptych_server.models.served_names import ServedName
from triptych_server.repository import Repository


@dataclass(frozen=True, slots=True)
class UsedFaces:
    """What was put in place: the reports of both imports, the files of the repository that changed, and how many running engines
    changed over."""

    detector: DetectorReport
    embedder: ImportReport
    files: tuple[Path, ...]
    swapped: int


def use_faces(folder: Path, repository: Repository, *, name: ServedName | None = None, swap: bool = True) -> UsedFaces:
    """Import the face model in `folder`, `name` where it is of the cache, and serve it from `repository`: at once where engines run,
    unless `swap` is False.

    ModelImportError, with all as it was, when a graph cannot be imported, does not agree with its original, or cannot be loaded by a
    running engine.
    """
    source = FaceFolder.read(folder)
    needed = size_of(source.detection, source.recognition)
    with one_change(repository, {"faces": name}, needed=needed, swap=swap) as change:
        detector = import_detector(source.detection, change.graph("face_detection"))
        embedder = import_embedder(source.recognition, change.graph("face_recognition"))
        change.edit_configs(_dims(detector.anchors, embedder.dim), {})
    return UsedFaces(detector, embedder, change.files, change.swapped)


def _dims(anchors: int, dim: int) -> Dims:
    """The shapes that hang on the model, in every config. The number of faces is open everywhere."""
    return {
        "face_detection": {"boxes": [anchors, 4], "scores": [anchors], "landmarks": [anchors, 5, 2]},
        "face_recognition": {"embedding": [dim]},
        "face_embed": {"embeddings": [-1, dim]},
        "faces": {"embeddings": [-1, dim]},
        "photo": {"embeddings": [-1, dim]},
    }
