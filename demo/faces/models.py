"""Puts the demo's face networks in place where none are, and anew after training; a face model of one's own is left alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from demo.faces.networks import WEIGHTS
from demo.models import Outcome
from triptych_server.models.use_faces import use_faces
from triptych_server.repository import Repository

MODELS = ("face_detection", "face_recognition")


def ensure_demo_faces(repository: Repository, note: Path, weights: Path = WEIGHTS) -> Outcome:
    """Import the demo's face weights unless the repository serves something else.

    `note` is a JSON file of ours that tells which weights were imported and what they became. Raises ModelImportError.
    """
    sources = _digest([weights / "detection" / "model.onnx", weights / "recognition" / "model.onnx"])
    served = [repository.networks / name / "1" / "model.onnx" for name in MODELS]
    if not repository.missing_weights(*MODELS):
        noted = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
        if noted.get("served") != _digest(served):
            return "another model"
        if noted.get("weights") == sources:
            return "in place"
    use_faces(weights, repository)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"weights": sources, "served": _digest(served)}), encoding="utf-8")
    return "imported"


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()
