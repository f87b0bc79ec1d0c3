"""Puts the demo's models in place where none are, and anew when they have changed; a model of one's own is left alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx

from triptych_server.models.any_folder import use_any
from triptych_server.models.manifest import hashed
from triptych_server.repository import Repository

Outcome = Literal["imported", "in place", "another model"]
_WEIGHTS = Path(__file__).resolve().parent / "weights"
_ORIGIN = "triptych.source_sha256"  # where an imported graph says which file it was made from


@dataclass(frozen=True, slots=True)
class DemoModel:
    """What it is for, its weights as a hub gives them, the networks it is served as with the weights' folder of each, and all it knows."""

    purpose: str
    weights: Path
    networks: Mapping[str, str]
    knows: str

    def sources(self) -> dict[str, str]:
        """Network -> SHA-256 of the weights it is made from."""
        return {network: hashed(self.weights / part / "model.onnx") for network, part in self.networks.items()}


CLIP = DemoModel("search", _WEIGHTS / "clip", {"clip_visual": "visual", "clip_textual": "textual"}, "drawn scenes")
FACES = DemoModel("faces", _WEIGHTS / "faces", {"face_detection": "detection", "face_recognition": "recognition"}, "drawn people")


def ensure_demo_model(model: DemoModel, repository: Repository, note: Path) -> Outcome:
    """Import the demo's weights unless the repository serves something else.

    A served graph names the file that it was made from. That is the demo's when it is the weights of today or, after a training, one
    of those before: `note`, a JSON list of ours, remembers what was imported. Raises ModelImportError.
    """
    sources = model.sources()
    noted = set(json.loads(note.read_text(encoding="utf-8"))) if note.is_file() else set[str]()
    known = noted | set(sources.values())
    there = not repository.missing_weights(*model.networks, *(["clip_tokenize"] if "clip_textual" in model.networks else []))
    if there and not known.issuperset(_origin(repository, network) for network in sources):
        return "another model"
    # Always, for it changes nothing where all is as it should be, and what an import makes may have changed too.
    changed = use_any(model.weights, repository).files
    if known != noted:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps(sorted(known)), encoding="utf-8")
    return "imported" if changed else "in place"


def _origin(repository: Repository, network: str) -> str:
    """The SHA-256 of the file that a served graph was made from; empty where it does not say."""
    graph = onnx.load(repository.model(network) / "1" / "model.onnx", load_external_data=False)
    return next((entry.value for entry in graph.metadata_props if entry.key == _ORIGIN), "")
