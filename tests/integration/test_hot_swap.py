"""Models change under a running Triton: no request fails, answers are the new model's, and a model that does not load changes nothing."""

import shutil
import time
from pathlib import Path

import onnx
import pytest
from onnx import helper

from demo.faces.networks import WEIGHTS as DEMO_FACES
from loadtest.random_clip import random_clip
from tests.support.serving import CHECKOUT, serving
from tests.support.swapping import LARGE, SMALL, drawn_pair, grpc_of, states, two_clips
from tests.support.traffic import Traffic
from triptych import Client
from triptych_server.errors import ModelImportError
from triptych_server.models.any_folder import use_any
from triptych_server.models.trial import ON_TRIAL


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    return two_clips(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def photo():
    return drawn_pair()


@pytest.fixture(scope="module", params=["cpu", "openvino"])
def started(request, models, tmp_path_factory):
    """An engine with the small CLIP and the demo's faces, and its repository."""
    tmp = tmp_path_factory.mktemp("served")
    repository = CHECKOUT.copy_to(tmp / "repository")
    use_any(models["small"], repository)
    use_any(DEMO_FACES, repository)
    with serving(repository, tmp, profile=request.param) as engine:
        yield engine, repository


@pytest.fixture
def served(started, models):
    """With the first models again, whatever a test before this one put in their place."""
    _, repository = started
    use_any(models["small"], repository)
    use_any(DEMO_FACES, repository)
    return started


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
        if kind == "faces":  # they go on as before
            continue
        sizes = [len(answer) for answer in answers]
        assert sizes == sorted(sizes, reverse=True)  # 512 first, then 384: nobody hears the old model again
        assert set(sizes) == {SMALL.embed_dim, LARGE.embed_dim}
        assert answers[-1] @ new[kind] > 0.999
    assert len(old) == SMALL.embed_dim
    assert not [name for name, state in states(engine).items() if name.endswith(ON_TRIAL) and state == "READY"]


def test_a_cached_answer_of_the_old_model_is_not_given_for_the_new(served, models, tmp_path):
    """Same shapes, other weights: only the answer tells them apart."""
    engine, repository = served
    twin = random_clip(tmp_path, SMALL, seed=9)
    [first] = versions(repository)
    with Client(engine.grpc_url) as client:
        before = client.embed_text("a dog")
        assert client.embed_text("a dog") @ before > 0.9999
        use_any(twin, repository)
        assert client.embed_text("a dog") @ before < 0.9
        use_any(models["small"], repository)
        assert client.embed_text("a dog") @ before > 0.999
    assert versions(repository) == [first + 2]


def versions(repository):
    """Every change gives an ensemble whose answers are cached a version of its own, and leaves no other."""
    return [int(folder.name) for folder in (repository.ensembles / "search_text").iterdir() if folder.is_dir()]


def test_a_face_model_takes_over_alone(served, photo, tmp_path):
    engine, repository = served
    with Client(engine.grpc_url) as client:
        before = client.faces(photo)
        runs = grpc_of(engine).get_inference_statistics("clip_visual").model_stats[0].inference_count
        assert use_any(DEMO_FACES, repository).swapped == 0  # no file differs: nothing to do
        with Traffic(engine.grpc_url, photo, kinds=("faces",)) as traffic:
            time.sleep(0.5)
            use_any(turned(DEMO_FACES, tmp_path), repository)
            time.sleep(0.5)
        after = client.faces(photo)
    assert traffic.errors == []
    for _, answers in traffic.answers:
        alike = [round(float(answer[0] @ before[0].embedding)) for answer in answers]
        assert alike == sorted(alike, reverse=True)  # 1, then -1: nobody hears the old model again
        assert set(alike) == {1, -1}
    assert [face.box for face in after] == [face.box for face in before]
    assert len(after) >= 1
    assert all(one.embedding @ other.embedding == pytest.approx(-1, abs=1e-2) for one, other in zip(before, after, strict=True))
    assert grpc_of(engine).get_inference_statistics("clip_visual").model_stats[0].inference_count == runs


def turned(folder, place):
    """The same face model, whose embeddings point the other way."""
    target = shutil.copytree(folder, place / "turned")
    model = onnx.load(target / "recognition" / "model.onnx")
    output = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["before" if name == output else name for name in node.output]
    model.graph.node.append(helper.make_node("Neg", ["before"], [output]))
    onnx.save(model, target / "recognition" / "model.onnx")
    return target


@pytest.fixture
def unloadable(served):
    """The config of a CLIP asks for a version that is not there."""
    config = served[1].model("clip_visual") / "config.pbtxt"
    text = config.read_text()
    config.write_text(text + "\nversion_policy { specific { versions: 7 } }\n")
    yield served
    config.write_text(text)


def test_a_model_that_the_server_cannot_load_changes_nothing(unloadable, models, photo):
    engine, repository = unloadable
    seen = snapshot(repository)
    with Client(engine.grpc_url) as client, Traffic(engine.grpc_url, photo) as traffic:
        before = client.embed_image(photo)
        with pytest.raises(ModelImportError, match=r"cannot load it, the old model stays: clip_visual could not be loaded: ") as raised:
            use_any(models["large"], repository)
        assert ON_TRIAL not in str(raised.value)
        assert client.embed_image(photo) @ before > 0.9999
    assert traffic.errors == []
    assert snapshot(repository) == seen
    assert not [name for name, state in states(engine).items() if name.endswith(ON_TRIAL) and state == "READY"]


def snapshot(repository):
    return {
        file: file.read_bytes()
        for root in repository.roots
        for file in root.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
