"""A change of models finds every engine that serves the repository, and what changes before it left behind."""

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from demo.faces.networks import WEIGHTS as DEMO_FACES
from tests.support.serving import CHECKOUT, options, serving
from tests.support.swapping import LARGE, SMALL, drawn_pair, grpc_of, states, two_clips
from tests.support.traffic import Traffic
from triptych import Client
from triptych_server.engine import Engine
from triptych_server.engine.running import FOLDER, running_engines
from triptych_server.errors import RepositoryBusyError
from triptych_server.models.any_folder import use_any
from triptych_server.models.swap import JOURNAL
from triptych_server.models.trial import ON_TRIAL
from triptych_server.repository_lock import locked


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    return two_clips(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def photo():
    return drawn_pair()


@pytest.fixture
def repository(models, tmp_path):
    """With the small CLIP."""
    repository = CHECKOUT.copy_to(tmp_path / "repository")
    use_any(models["small"], repository)
    return repository


def test_models_that_were_not_served_yet_are_loaded(models, repository, photo, tmp_path):
    with serving(repository, tmp_path) as engine, Client(engine.grpc_url) as client:
        with pytest.raises(Exception, match="faces"):
            client.faces(photo)
        use_any(DEMO_FACES, repository)
        assert client.faces(photo)
        assert len(client.analyze(photo).embedding) == SMALL.embed_dim


def test_a_guarded_engine_is_reached_with_the_key_that_it_noted(models, repository, tmp_path):
    with serving(repository, tmp_path, control_key="secret") as engine:
        with pytest.raises(InferenceServerException):
            grpc_of(engine).unload_model("clip_visual")
        (note,) = (repository.root / FOLDER).glob("engine-*.json")
        assert note.stat().st_mode & 0o077 == 0
        assert json.loads(note.read_text())["http_url"] == engine.http_url
        use_any(models["large"], repository)
        with Client(engine.grpc_url) as client:
            assert len(client.embed_text("a dog")) == LARGE.embed_dim
    assert running_engines(repository).reachable == ()
    assert not note.exists()


def test_a_model_put_in_place_without_reload_is_served_by_the_next_change(models, repository, tmp_path):
    """The engine lags behind the files: using the same model again, which changes no file, brings it up to date."""
    with serving(repository, tmp_path) as engine, Client(engine.grpc_url) as client:
        assert use_any(models["large"], repository, swap=False).swapped == 0
        assert len(client.embed_text("a dog")) == SMALL.embed_dim
        again = use_any(models["large"], repository)
        assert (again.files, again.swapped) == ((), 1)
        assert len(client.embed_text("a dog")) == len(client.embed_image(np.zeros((64, 64, 3), np.uint8))) == LARGE.embed_dim
        assert use_any(models["large"], repository).swapped == 0


def test_two_engines_change_over_together_and_one_that_starts_is_waited_for(models, repository, tmp_path):
    with serving(repository, tmp_path) as first, ThreadPoolExecutor(1) as pool:
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


def test_what_a_killed_change_left_in_the_server_is_cleared(models, repository, tmp_path, photo):
    """Killed at the worst moment: the ensembles answer from models on trial, the models' own names are not loaded, files half replaced."""
    with serving(repository, tmp_path) as engine, Client(engine.grpc_url) as client:
        before = client.embed_image(photo)
        command = [sys.executable, "-c", KILLED, str(repository.root), str(models["large"])]
        assert subprocess.run(command, check=False, timeout=200).returncode == -signal.SIGKILL
        assert (repository.root / FOLDER / JOURNAL).exists()
        assert len(client.embed_image(photo)) == LARGE.embed_dim
        with Traffic(engine.grpc_url, photo, kinds=("image", "text")) as traffic:
            assert use_any(models["small"], repository).swapped == 1
        assert traffic.errors == []
        assert client.embed_image(photo) @ before > 0.9999
        assert not [name for name, state in states(engine).items() if name.endswith(ON_TRIAL) and state == "READY"]
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


def test_the_note_of_an_engine_that_was_killed_is_removed(models, repository):
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
