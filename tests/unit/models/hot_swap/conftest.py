"""A repository whose weights are stand-ins, and the note of an engine that serves it: a fake (tests/support/stand_in_control.py)."""

from collections.abc import Iterator

import pytest

from tests.support.stand_in_control import SERVED, StandInControl
from triptych_server.configs.overrides import Overrides
from triptych_server.engine.running import EngineNote, RunningEngine, new_note
from triptych_server.repository import Repository
from triptych_server.repository_lock import locked


@pytest.fixture
def repository(tmp_path) -> Repository:
    """With stand-ins for the weights of search."""
    repository = Repository.locate().copy_to(tmp_path / "repository")
    for model in ("clip_visual", "clip_textual"):
        (repository.model(model) / "1" / "model.onnx").write_text("old")
    (repository.model("clip_tokenize") / "1" / "tokenizer.json").write_text("old")
    return repository


@pytest.fixture
def control(monkeypatch) -> StandInControl:
    stand_in = StandInControl(*SERVED)
    monkeypatch.setattr(RunningEngine, "control", property(lambda self: stand_in))
    return stand_in


@pytest.fixture
def note(repository) -> Iterator[EngineNote]:
    """In the repository, as a serving engine keeps it."""
    with locked(repository, 1) as folder:
        note = new_note(folder)
    note.serving("http://stand-in", {}, "cpu", Overrides())
    yield note
    note.remove()


@pytest.fixture
def engine(note, control) -> RunningEngine:
    return note.engine
