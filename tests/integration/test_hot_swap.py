"""Models change under a running Triton: no request fails, answers are the new model's, and a model that does not load changes nothing."""

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
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
from triptych_server.errors import ModelImportError, RepositoryBusyError
from triptych_server.models.any_folder import use_any
from triptych_server.models.swap import JOURNAL
from triptych_server.models.trial import ON_TRIAL
from triptych_server.repository_lock import locked

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
    listed = _grpc(engine).get_model_repository_index(headers=engine.control_headers, as_json=True)
    return {model["name"]: model.get("state") for model in listed["models"]}


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
        if kind == "faces":  # they go on as before
            continue
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
        assert use_any(DEMO_FACES, repository).swapped == 0  # no file differs: nothing to do
        with Traffic(engine.grpc_url, photo, kinds=("faces",)) as traffic:
            time.sleep(0.5)
            use_any(turned(DEMO_FACES, repository.root.parent), repository)
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
        assert json.loads(note.read_text())["http_url"] == engine.http_url
        use_any(models["large"], repository)
        with Client(engine.grpc_url) as client:
            assert len(client.embed_text("a dog")) == LARGE.embed_dim
    assert running_engines(repository).reachable == ()
    assert not note.exists()


def test_a_model_put_in_place_without_reload_is_served_by_the_next_change(models, tmp_path):
    """The engine lags behind the files: using the same model again, which changes no file, brings it up to date."""
    repository = CHECKOUT.copy_to(tmp_path / "repository")
    use_any(models["small"], repository)
    with Engine(options(repository, tmp_path)) as engine, Client(engine.grpc_url) as client:
        assert use_any(models["large"], repository, swap=False).swapped == 0
        assert len(client.embed_text("a dog")) == SMALL.embed_dim
        again = use_any(models["large"], repository)
        assert (again.files, again.swapped) == ((), 1)
        assert len(client.embed_text("a dog")) == len(client.embed_image(np.zeros((64, 64, 3), np.uint8))) == LARGE.embed_dim
        assert use_any(models["large"], repository).swapped == 0


def test_two_engines_change_over_together_and_one_that_starts_is_waited_for(models, tmp_path):
    repository = CHECKOUT.copy_to(tmp_path / "repository")
    use_any(models["small"], repository)
    with Engine(options(repository, tmp_path)) as first, ThreadPoolExecutor(1) as pool:
        second = Engine(options(repository, tmp_path))
        started = pool.submit(second.start)
        try:
            while len(list((repository.root / FOLDER).glob("engine-*.json"))) < 2:
                time.sleep(0.01)
            assert use_any(models["large"], repository).swapped == 2
            started.result()
            for engine in (first, second):
                with Client(engine.grpc_url) as client:
                    assert len(client.embed_text("a dog")) == LARGE.embed_dim
        finally:
            second.stop()
    assert not list((repository.root / FOLDER).glob("engine-*"))


def test_what_a_killed_change_left_in_the_server_is_cleared(models, tmp_path, photo):
    """Killed at the worst moment: the ensembles answer from models on trial, the models' own names are not loaded, files half replaced."""
    repository = CHECKOUT.copy_to(tmp_path / "repository")
    use_any(models["small"], repository)
    with Engine(options(repository, tmp_path)) as engine, Client(engine.grpc_url) as client:
        before = client.embed_image(photo)
        command = [sys.executable, "-c", KILLED, str(repository.root), str(models["large"])]
        assert subprocess.run(command, check=False, timeout=200).returncode == -signal.SIGKILL
        assert (repository.root / FOLDER / JOURNAL).exists()
        assert len(client.embed_image(photo)) == LARGE.embed_dim
        with Traffic(engine.grpc_url, photo, kinds=("image", "text")) as traffic:
            assert use_any(models["small"], repository).swapped == 1
        assert traffic.errors == []
        assert client.embed_image(photo) @ before > 0.9999
        assert not [name for name, state in index(engine).items() if name.endswith(ON_TRIAL) and state == "READY"]
    assert not list(repository.root.rglob("*.old-*"))
    assert not (repository.root / FOLDER / JOURNAL).exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from triptych_server.engine.control import ControlApi
from triptych_server.models.any_folder import use_any
from triptych_server.repository import Repository

load = ControlApi.load
def killed(self, model, config=None):
    if model == "clip_visual":  # under its own name again: the last step but one
        os.kill(os.getpid(), signal.SIGKILL)
    load(self, model, config)
ControlApi.load = killed
use_any(Path(sys.argv[2]), Repository(Path(sys.argv[1])))
"""


def test_the_note_of_an_engine_that_was_killed_is_removed(models, tmp_path):
    repository = CHECKOUT.copy_to(tmp_path / "repository")
    use_any(models["small"], repository)
    left = repository.root / FOLDER / "engine-0badcafe.json"
    left.write_text('{"machine": "a container of yesterday", "serving": true}')
    left.with_suffix("").mkdir()
    use_any(models["large"], repository)
    assert not list((repository.root / FOLDER).glob("engine-*"))


def test_two_changes_at_once_do_not_mix(models, tmp_path, monkeypatch):
    from triptych_server.models import change

    monkeypatch.setattr(change, "locked", lambda repository: locked(repository, 0.2))
    repository = CHECKOUT.copy_to(tmp_path / "repository")
    with (
        change.one_change(repository, {}),
        pytest.raises(RepositoryBusyError, match="another process has been putting models in place in .* for over 0.2 s"),
    ):
        use_any(models["small"], repository)
    assert np.all([not (repository.model(name) / "1" / "model.onnx").exists() for name in ("clip_visual", "clip_textual")])
