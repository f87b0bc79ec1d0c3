"""The demo's models are put in place once, renewed when they change, and never put over a model of one's own."""

import dataclasses
import shutil

import onnx
import pytest

from demo.models import CLIP, FACES, ensure_demo_model
from triptych_server.models.any_folder import use_any
from triptych_server.repository import Repository

CHECKOUT = Repository.locate(CLIP.weights.parents[2])


@pytest.fixture
def repository(tmp_path):
    return CHECKOUT.copy_to(tmp_path / "repository")


@pytest.fixture
def note(tmp_path):
    return tmp_path / "cache" / "imported.json"


@pytest.fixture(params=[CLIP, FACES], ids=["clip", "faces"])
def model(request):
    return request.param


def changed(model, folder, text):
    """The same model from weights that are other files."""
    shutil.copytree(model.weights, folder)
    for part in model.networks.values():
        graph = onnx.load(folder / part / "model.onnx")
        graph.doc_string = text
        onnx.save(graph, folder / part / "model.onnx")
    return dataclasses.replace(model, weights=folder)


def graphs(model, repository):
    return {name: (repository.networks / name / "1" / "model.onnx").read_bytes() for name in model.networks}


def test_a_demo_model_is_imported_once_and_known_by_itself(model, repository, note):
    assert ensure_demo_model(model, repository, note) == "imported"
    assert repository.missing_weights(*model.networks) == []
    before = graphs(model, repository)
    assert ensure_demo_model(model, repository, note) == "in place"
    note.unlink()
    assert ensure_demo_model(model, repository, note) == "in place"
    assert graphs(model, repository) == before


def test_what_the_command_line_imported_is_the_demos_as_well(repository, note):
    use_any(CLIP.weights, repository)
    assert ensure_demo_model(CLIP, repository, note) == "in place"


def test_new_demo_weights_replace_the_old_ones(model, repository, note, tmp_path):
    old = changed(model, tmp_path / "old", "of another training")
    assert ensure_demo_model(old, repository, note) == "imported"
    before = graphs(model, repository)
    assert ensure_demo_model(model, repository, note) == "imported"
    assert all(graph != before[name] for name, graph in graphs(model, repository).items())
    assert ensure_demo_model(model, repository, note) == "in place"


def test_a_model_of_ones_own_stays(model, repository, note, tmp_path):
    ensure_demo_model(model, repository, note)
    use_any(changed(model, tmp_path / "own", "of one's own").weights, repository)
    before = graphs(model, repository)
    assert ensure_demo_model(model, repository, note) == "another model"
    note.unlink()
    assert ensure_demo_model(model, repository, note) == "another model"
    assert graphs(model, repository) == before


def test_a_graph_that_does_not_say_where_it_is_from_stays(model, repository, note):
    ensure_demo_model(model, repository, note)
    name = next(iter(model.networks))
    path = repository.networks / name / "1" / "model.onnx"
    graph = onnx.load(path)
    del graph.metadata_props[:]
    onnx.save(graph, path)
    assert ensure_demo_model(model, repository, note) == "another model"


def test_the_configs_in_git_are_those_of_the_demos_models(model, repository, note):
    """So that the demo leaves a checkout as it was."""
    before = {path: path.read_text() for path in repository.root.rglob("*.pbtxt")}
    ensure_demo_model(model, repository, note)
    assert {path: path.read_text() for path in repository.root.rglob("*.pbtxt")} == before
