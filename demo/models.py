"""Puts the demo models in place where none are, and anew after training; a model of one's own is left alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

from triptych_server.models.use import use_folder
from triptych_server.repository import Repository

Outcome = Literal["imported", "in place", "another model"]


def ensure_demo_models(repository: Repository, note: Path) -> Outcome:
    """Import the demo weights unless the repository serves something else.

    `note` is a JSON file of ours that tells which weights were imported and what they became. Raises ModelImportError.
    """
    weights = _digest(sorted(path for path in repository.demo_weights.rglob("*") if path.is_file()))
    if not repository.missing_weights("clip_visual", "clip_textual", "clip_tokenize"):
        served = _digest(_served(repository))
        noted = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
        if noted.get("served") != served:
            return "another model"
        if noted.get("weights") == weights:
            return "in place"
    use_folder(repository.demo_weights, repository)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"weights": weights, "served": _digest(_served(repository))}), encoding="utf-8")
    return "imported"


def _served(repository: Repository) -> list[Path]:
    """What the import of a CLIP writes and git does not hold."""
    graphs = [repository.networks / name / "1" / "model.onnx" for name in ("clip_visual", "clip_textual")]
    return [*graphs, repository.python_models / "clip_tokenize" / "1" / "tokenizer.json"]


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()
