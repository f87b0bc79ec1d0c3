"""The demo models are put in place once, renewed when they change, and never put over a model of one's own."""

import shutil

import pytest

from demo.models import ensure_demo_models
from demo.weights import WEIGHTS
from triptych_server.repository import Repository


@pytest.fixture
def repository(tmp_path):
    copy = Repository.locate(WEIGHTS.parents[2]).copy_to(tmp_path / "repository")
    shutil.copytree(WEIGHTS, copy.demo_weights)
    return copy


def test_demo_models_are_imported_once(repository, tmp_path):
    note = tmp_path / "cache" / "served.json"
    assert ensure_demo_models(repository, note) == "imported"
    assert repository.missing_weights("clip_visual", "clip_textual", "clip_tokenize") == []
    assert ensure_demo_models(repository, note) == "in place"


def test_new_demo_weights_replace_the_old_ones(repository, tmp_path):
    note = tmp_path / "served.json"
    ensure_demo_models(repository, note)
    config = repository.demo_weights / "config.json"
    config.write_text(config.read_text() + "\n")
    assert ensure_demo_models(repository, note) == "imported"


def test_a_model_of_ones_own_stays(repository, tmp_path):
    note = tmp_path / "served.json"
    ensure_demo_models(repository, note)
    own = repository.python_models / "clip_tokenize" / "1" / "tokenizer.json"
    own.write_text(own.read_text() + " ")
    before = own.read_bytes()
    assert ensure_demo_models(repository, note) == "another model"
    assert own.read_bytes() == before
    note.unlink()
    assert ensure_demo_models(repository, note) == "another model"
