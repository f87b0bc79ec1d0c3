"""A face model in a folder as a hub gives it: which file detects and which one embeds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from onnx import ModelProto

from triptych_server.errors import ModelImportError
from triptych_server.models import store
from triptych_server.models.face_layouts import recognise_detector, recognise_embedder

PARTS = ("detection/model.onnx", "recognition/model.onnx")


@dataclass(frozen=True, slots=True)
class FaceFolder:
    """The two graphs of a face model."""

    detection: Path
    recognition: Path

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder: detection/ and recognition/ as in the hub's `immich-app` repositories, else the files of an InsightFace
        pack side by side, told apart by what their graphs take and give (packs hold age and pose networks too).

        ModelImportError when a part is missing, or when two files could be the same part.
        """
        layout = [folder / part for part in PARTS]
        there = [part.is_file() for part in layout]
        if all(there):
            return cls(*layout)
        if any(there):
            raise ModelImportError(f"{folder.name} has no {PARTS[there.index(False)]}; pull the model again")
        files = sorted(folder.glob("*.onnx")) if folder.is_dir() else []
        if not files:
            raise ModelImportError(
                f"{folder.name} is no face model folder: expected {PARTS[0]} and {PARTS[1]}, "
                "or the .onnx files of an InsightFace pack (such as det_10g.onnx and w600k_r50.onnx)"
            )
        detectors, embedders = [], []
        for file in files:
            model = store.read(file)
            detectors += [file] if _is(recognise_detector, model) else []
            embedders += [file] if _is(recognise_embedder, model) else []
        return cls(_one(folder, detectors, files, "detector", 0), _one(folder, embedders, files, "embedder", 1))


def _is(recognise: Callable[[ModelProto], object], model: ModelProto) -> bool:
    try:
        recognise(model)
    except ModelImportError:
        return False
    return True


def _one(folder: Path, found: list[Path], files: list[Path], what: str, part: int) -> Path:
    if len(found) == 1:
        return found[0]
    if not found:
        seen = ", ".join(file.name for file in files)
        raise ModelImportError(f"{folder.name} has no face {what} that can be imported among {seen}; pull the whole pack")
    names = ", ".join(file.name for file in found)
    wanted = f"put the one to serve at {PARTS[part]}, and the other part at {PARTS[1 - part]}"
    raise ModelImportError(f"{folder.name} has several face {what}s: {names}; {wanted}")
