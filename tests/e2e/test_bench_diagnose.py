"""`triptych bench diagnose` on the real Triton and the demo's models: every step is measured, and what is said can be read."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.drawn import encode, picture
from tests.support.serving import CHECKOUT, options
from triptych_server.engine import Engine
from triptych_server.engine.shared_memory import SHM
from triptych_server.models.any_folder import use_any

TRIPTYCH = str(Path(sys.executable).with_name("triptych"))
STEPS = ["face_preprocess"] * 2 + ["face_detection"] * 4 + ["face_recognition"] * 4 + ["faces"] * 3


@pytest.fixture
def served_only(tmp_path):
    """A repository with nothing but what one of the demo's models serves: a server loads all that it finds."""

    def made(weights):
        repository = CHECKOUT.copy_to(tmp_path / "repository")
        use_any(weights, repository)
        return repository

    return made


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(4):
        (folder / f"{index}.jpg").write_bytes(encode(picture(400 + index, 300), "jpeg"))
    return folder


def diagnose(repository, *more):
    command = [TRIPTYCH, "bench", "diagnose", *more, "--profile", "openvino", "--seconds", "0.3", "--in-flight", "4"]
    done = subprocess.run([*command, "--repository", str(repository.root)], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_step_of_a_running_server_is_measured(served_only, photos, tmp_path):
    repository = served_only(CHECKOUT.demo_faces)
    with Engine(options(repository, tmp_path, profile="openvino", client_shared_memory=True)) as engine:
        found = json.loads(diagnose(repository, "faces", "--url", engine.grpc_url, "--photos", str(photos), "--json"))
    assert [rung["part"] for rung in found["ladder"]] == STEPS
    assert all(rung["rate"] > 0 and rung["lone_ms"] > 0 for rung in found["ladder"])
    assert found["reached"] > 0
    networks = found["figures"]["networks"]
    assert [network["missing"] for network in networks] == [[], []]
    assert [network["each"] for network in networks] == [1.0, 0.0]  # nobody is on the pictures
    assert found["figures"]["many"]["machine"]["cpu_ms"].keys() >= {"face_preprocess", "face_detection", "face_embed", "tritonserver"}
    assert not list(SHM.glob("*diagnose"))


def test_it_starts_a_server_of_its_own_and_says_what_it_saw(served_only):
    said = diagnose(served_only(CHECKOUT.demo_weights), "search_text")
    assert said.index("clip_tokenize") < said.index("the runtime alone, batches of 16") < said.index("the limit: its parts alone")
    assert "A request takes" in said


def test_a_target_that_is_none_is_refused():
    command = [TRIPTYCH, "bench", "diagnose", "search_images", "--repository", str(CHECKOUT.root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "there is no model 'search_images'" in done.stderr
