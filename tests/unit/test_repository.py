"""Locating and copying the repository."""

from pathlib import Path

import pytest

from triptych_server.errors import ConfigError
from triptych_server.repository import FOLDERS, Repository


def test_models_come_from_all_three_repositories():
    names = {folder.name for folder in Repository.locate().models()}
    assert {"clip_visual", "clip_textual", "clip_preprocess", "clip_tokenize", "search_image", "search_text"} <= names


def test_a_copy_is_whole_and_leaves_weights_behind(tmp_path):
    source = Repository.locate().copy_to(tmp_path / "source")
    (source.model("clip_visual") / "1" / "model.onnx").write_bytes(b"weights")
    without = source.copy_to(tmp_path / "without")
    assert "model_repository/clip_visual/1/model.onnx" in without.missing_weights()
    assert not list(without.root.rglob("*.onnx"))
    with_weights = source.copy_to(tmp_path / "with", weights=True)
    assert "model_repository/clip_visual/1/model.onnx" not in with_weights.missing_weights()


def test_missing_weights_can_be_asked_of_some_models(tmp_path):
    copy = Repository.locate().copy_to(tmp_path / "copy")
    assert copy.missing_weights("clip_visual") == ["model_repository/clip_visual/1/model.onnx"]
    assert copy.missing_weights("clip_tokenize") == ["python_models/clip_tokenize/1/tokenizer.json"]
    assert copy.missing_weights("search_image") == []


def test_a_folder_that_is_no_repository_is_refused_with_what_is_missing(tmp_path):
    (tmp_path / "ensembles").mkdir()
    with pytest.raises(ConfigError, match="model_repository, python_models, backends, profiles missing"):
        Repository(tmp_path)


def test_a_relative_folder_stays_what_it_was_in_another_working_folder(tmp_path, monkeypatch):
    for name in FOLDERS:
        (tmp_path / "own" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    relative = Repository(Path("own"))
    monkeypatch.chdir("/")
    assert relative == Repository(tmp_path / "own")
    assert relative.models() == []


def test_the_working_folder_and_those_above_it_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.delenv("TRIPTYCH_REPOSITORY", raising=False)
    for name in FOLDERS:
        (tmp_path / name).mkdir()
    below = tmp_path / "ensembles" / "deep"
    below.mkdir()
    monkeypatch.chdir(below)
    assert Repository.locate().root == tmp_path


def test_the_environment_names_one(tmp_path, monkeypatch):
    copy = Repository.locate().copy_to(tmp_path / "copy")
    monkeypatch.setenv("TRIPTYCH_REPOSITORY", str(copy.root))
    assert Repository.locate().root == copy.root


def test_unknown_model_names_those_that_exist():
    with pytest.raises(ConfigError, match="no model 'clip_visuell'; there are: .*clip_visual"):
        Repository.locate().model("clip_visuell")
