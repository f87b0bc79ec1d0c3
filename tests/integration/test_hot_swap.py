"""Models change under a running Triton: no request fails, answers are the new model's, and a model that does not load changes nothing."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from tritonclient.utils import InferenceServerException

from demo.faces.networks import WEIGHTS as DEMO_FACES
from demo.people import draw_group, sample_group
from loadtest.random_clip import random_clip, tiny_shape
from tests.support.serving import CHECKOUT, options
from tests.support.traffic import Traffic
from triptych import Client
from triptych_server.engine import Engine
from triptych_server.engine.running import FOLDER, running_engines
from triptych_server.errors import ModelImportError
from triptych_server.models.any_folder import use_any
from triptych_server.models.hot_swap import ON_TRIAL

SMALL, LARGE = tiny_shape(), replace(tiny_shape(), image_size=256, embed_dim=384, context_length=64)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    """Two CLIPs that differ in every shape."""
    cache = tmp_path_factory.mktemp("models")
    return {"small": random_clip(cache, SMALL, seed=1), "large": random_clip(cache, LARGE, seed=2)}


@pytest.fixture(params=["cpu", "openvino"])
def served(request, models, tmp_path):
    """An engine with the small CLIP and the demo's faces, and its repository."""
    repository = CHECKOUT.copy_to(tmp_path / "repository")
    use_any(models["small"], repository)
    use_any(DEMO_FACES, repository)
    with Engine(options(repository, tmp_path, profile=request.param)) as engine:
        yield engine, repository


@pytest.fixture(scope="module")
def photo():
    group = sample_group(3, range(40), (480, 360), count=2, least=0.2, kind="swap")
    return draw_group(group, (480, 360))[0]


def index(engine):
    return {model["name"]: model.get("state") for model in _grpc(engine).get_model_repository_index(as_json=True)["models"]}


def _grpc(engine):
    return triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://"))


def test_a_model_of_other_shapes_takes_over_without_a_failed_request(served, models, photo):
    engine, repository = served
    with Client(engine.grpc_url) as client:
        old = client.embed_text("a dog")
    with Traffic(engine.grpc_url, photo) as traffic:
        time.sleep(0.5)
        use_any(models["large"], repository)
        time.sleep(0.5)
    assert traffic.errors == []
    with Client(engine.grpc_url) as client:
        new = {"image": client.embed_image(photo), "text": client.embed_text("a dog"), "photo": client.analyze(photo).embedding}
    for kind, answers in traffic.answers:
        sizes = [len(answer) for answer in answers]
        assert sizes == sorted(sizes, reverse=True)  # 512 first, then 384: nobody hears the old model again
        assert set(sizes) == {SMALL.embed_dim, LARGE.embed_dim}
        assert answers[-1] @ new[kind] > 0.999
    assert len(old) == SMALL.embed_dim
    assert not [name for name, state in index(engine).items() if name.endswith(ON_TRIAL) and state == "READY"]


def test_a_cached_answer_of_the_old_model_is_not_given_for_the_new(served, models, tmp_path):
    """Same shapes, other weights: only the answer tells them apart."""
    engine, repository = served
    twin = random_clip(tmp_path, SMALL, seed=9)
    with Client(engine.grpc_url) as client:
        before = client.embed_text("a dog")
        assert client.embed_text("a dog") @ before > 0.9999
        use_any(twin, repository)
        assert client.embed_text("a dog") @ before < 0.9
        use_any(models["small"], repository)
        assert client.embed_text("a dog") @ before > 0.999
    assert [folder.name for folder in (repository.ensembles / "search_text").iterdir() if folder.is_dir()] == ["3"]


def test_a_face_model_takes_over_alone(served, photo):
    engine, repository = served
    with Client(engine.grpc_url) as client:
        before = client.faces(photo)
        runs = _grpc(engine).get_inference_statistics("clip_visual").model_stats[0].inference_count
        use_any(DEMO_FACES, repository)  # no file differs: nothing to do
        use_any(turned(DEMO_FACES, repository.root.parent), repository)
        after = client.faces(photo)
    assert [face.box for face in after] == [face.box for face in before]
    assert len(after) >= 1
    assert all(one.embedding @ other.embedding == pytest.approx(-1, abs=1e-2) for one, other in zip(before, after, strict=True))
    assert _grpc(engine).get_inference_statistics("clip_visual").model_stats[0].inference_count == runs


def turned(folder, place):
    """The same face model, whose embeddings point the other way."""
    import shutil

    import onnx
    from onnx import helper

    target = shutil.copytree(folder, place / "turned")
    model = onnx.load(target / "recognition" / "model.onnx")
    output = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["before" if name == output else name for name in node.output]
    model.graph.node.append(helper.make_node("Neg", ["before"], [output]))
    onnx.save(model, target / "recognition" / "model.onnx")
    return target


def test_a_model_that_the_server_cannot_load_changes_nothing(served, models, photo):
    engine, repository = served
    config = repository.model("clip_visual") / "config.pbtxt"
    config.write_text(config.read_text() + "\nversion_policy { specific { versions: 7 } }\n")  # there is no such version
    seen = snapshot(repository)
    with Client(engine.grpc_url) as client, Traffic(engine.grpc_url, photo) as traffic:
        before = client.embed_image(photo)
        with pytest.raises(ModelImportError, match=r"cannot load it, the old model stays: clip_visual could not be loaded: ") as raised:
            use_any(models["large"], repository)
        assert ON_TRIAL not in str(raised.value)
        assert client.embed_image(photo) @ before > 0.9999
    assert traffic.errors == []
    assert snapshot(repository) == seen
    assert not [name for name, state in index(engine).items() if name.endswith(ON_TRIAL) and state == "READY"]


def snapshot(repository):
    return {
        file: file.read_bytes()
        for root in repository.roots
        for file in root.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_models_that_were_not_served_yet_are_loaded(models, photo, tmp_path):
    repository = CHECKOUT.copy_to(tmp_path / "repository")
    use_any(models["small"], repository)
    with Engine(options(repository, tmp_path)) as engine, Client(engine.grpc_url) as client:
        with pytest.raises(Exception, match="faces"):
            client.faces(photo)
        use_any(DEMO_FACES, repository)
        assert client.faces(photo)
        assert len(client.analyze(photo).embedding) == SMALL.embed_dim


def test_a_guarded_engine_is_reached_with_the_key_that_it_noted(models, tmp_path):
    repository = CHECKOUT.copy_to(tmp_path / "repository")
    use_any(models["small"], repository)
    with Engine(options(repository, tmp_path, control_key="secret")) as engine:
        with pytest.raises(InferenceServerException):
            _grpc(engine).unload_model("clip_visual")
        (note,) = (repository.root / FOLDER).glob("engine-*.json")
        assert note.stat().st_mode & 0o077 == 0
        assert json.loads(note.read_text())["pid"] == engine.pid
        use_any(models["large"], repository)
        with Client(engine.grpc_url) as client:
            assert len(client.embed_text("a dog")) == LARGE.embed_dim
    assert running_engines(repository) == []
    assert not note.exists()


def test_the_note_of_an_engine_that_was_killed_is_removed(models, tmp_path):
    repository = CHECKOUT.copy_to(tmp_path / "repository")
    use_any(models["small"], repository)
    with Engine(options(repository, tmp_path)) as engine:
        (note,) = (repository.root / FOLDER).glob("engine-*.json")
        kept = note.read_text()
    note.write_text(kept)
    assert engine.pid is None
    use_any(models["large"], repository)
    assert not note.exists()


def test_two_changes_at_once_do_not_mix(models, tmp_path, monkeypatch):
    from triptych_server.models import change

    monkeypatch.setattr(change, "LOCK_SECONDS", 0.2)
    repository = CHECKOUT.copy_to(tmp_path / "repository")
    with change.one_change(repository), pytest.raises(ModelImportError, match="another model is being put in place"):
        use_any(models["small"], repository)
    assert np.all([not (repository.model(name) / "1" / "model.onnx").exists() for name in ("clip_visual", "clip_textual")])
