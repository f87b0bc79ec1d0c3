"""Models whose weights are not in place are left out, with all that needs them, and the others are served."""

import pytest

from tests.support.serving import add_model, empty_repository
from triptych_server.engine.servable import find_servable


def ensemble(*steps: str) -> str:
    text = ", ".join(f'{{ model_name: "{step}" model_version: -1 }}' for step in steps)
    return f'platform: "ensemble"\nensemble_scheduling {{ step [ {text} ] }}'


NETWORK = 'backend: "onnxruntime"'
CALLS = 'backend: "python"\nparameters { key: "recognition_model" value { string_value: "recogniser" } }'


def weights(file):
    file.write_bytes(b"weights")


@pytest.fixture
def repository(tmp_path):
    """Search that has its weights; faces, of which the recogniser that a Python model calls has none; an ensemble of both."""
    made = empty_repository(tmp_path / "repository")
    add_model(made, "tower", NETWORK, weights)
    add_model(made, "detector", NETWORK, weights)
    add_model(made, "recogniser", NETWORK)
    add_model(made, "before", 'backend: "python"', where="python_models")
    add_model(made, "embed", CALLS, where="python_models")
    add_model(made, "search", ensemble("before", "tower"), where="ensembles")
    add_model(made, "faces", ensemble("before", "detector", "embed"), where="ensembles")
    add_model(made, "photo", ensemble("before", "tower", "faces"), where="ensembles")
    return made


def test_what_needs_a_model_without_weights_is_left_out_however_indirectly(repository):
    found = find_servable(repository)
    assert [folder.name for folder in found.models] == ["before", "detector", "search", "tower"]
    missing = ("model_repository/recogniser/1/model.onnx",)
    assert found.left_out == {"embed": missing, "faces": missing, "photo": missing, "recogniser": missing}
    assert found.missing == list(missing)
    assert found.has_network


def test_with_all_weights_in_place_everything_is_served(repository):
    weights(repository.model("recogniser") / "1" / "model.onnx")
    found = find_servable(repository)
    assert [folder.name for folder in found.models] == [folder.name for folder in repository.models()]
    assert found.left_out == {}


def test_python_models_alone_are_no_network(repository):
    for name in ("tower", "detector"):
        (repository.model(name) / "1" / "model.onnx").unlink()
    found = find_servable(repository)
    assert [folder.name for folder in found.models] == ["before"]
    assert not found.has_network


def test_a_tokenizer_that_is_missing_leaves_out_what_needs_it(repository):
    add_model(repository, "clip_tokenize", 'backend: "python"', where="python_models")
    add_model(repository, "search_text", ensemble("clip_tokenize", "tower"), where="ensembles")
    assert {"clip_tokenize", "search_text"} <= set(find_servable(repository).left_out)


def test_what_only_triton_can_explain_is_left_to_it(repository):
    """A config that cannot be read, a step that is nowhere, ensembles in a circle: they are loaded, and fail with their reason."""
    add_model(repository, "broken", "no_such_field: 1", where="ensembles")
    add_model(repository, "lost", ensemble("nowhere"), where="ensembles")
    add_model(repository, "egg", ensemble("hen"), where="ensembles")
    add_model(repository, "hen", ensemble("egg"), where="ensembles")
    assert {"broken", "lost", "egg", "hen"} <= {folder.name for folder in find_servable(repository).models}
