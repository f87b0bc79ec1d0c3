"""`triptych bench diagnose` on the real Triton and the demo's models: every step is measured, and what is said can be read."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.demo import demo_repository
from tests.support.drawn import encode, picture
from tests.support.serving import serving
from triptych_server.engine.shared_memory import SHM

TRIPTYCH = str(Path(sys.executable).with_name("triptych"))
STEPS = ["face_preprocess"] * 2 + ["face_detection"] * 4 + ["face_recognition"] * 4 + ["faces"] * 3


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The demo's models, all of them."""
    return demo_repository(tmp_path_factory)


@pytest.fixture(scope="module")
def server(repository, tmp_path_factory):
    with serving(repository, tmp_path_factory.mktemp("engine"), profile="openvino", client_shared_memory=True) as engine:
        yield engine


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for index in range(4):
        (folder / f"{index}.jpg").write_bytes(encode(picture(400 + index, 300), "jpeg"))
    return folder


def diagnose(repository, *more):
    command = [TRIPTYCH, "bench", "diagnose", *more, "--profile", "openvino", "--seconds", "0.3", "--in-flight", "4"]
    done = subprocess.run([*command, "--repository", str(repository.root)], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_step_of_a_running_server_is_measured(repository, server, photos):
    found = json.loads(diagnose(repository, "faces", "--url", server.grpc_url, "--photos", str(photos), "--json"))
    assert [rung["part"] for rung in found["ladder"]] == STEPS
    assert all(rung["rate"] > 0 and rung["lone_ms"] > 0 for rung in found["ladder"])
    assert found["reached"] > 0
    networks = found["figures"]["networks"]
    assert [network["missing"] for network in networks] == [[], []]
    assert [network["each"] for network in networks] == [1.0, 0.0]  # nobody is on the pictures
    assert found["figures"]["many"]["machine"]["cpu_ms"].keys() >= {"face_preprocess", "face_detection", "face_embed", "tritonserver"}
    assert not list(SHM.glob("*diagnose"))


def test_it_starts_a_server_of_its_own_and_says_what_it_saw(repository):
    said = diagnose(repository, "search_text")
    assert said.index("clip_tokenize") < said.index("the runtime alone, batches of 16") < said.index("the limit: its parts alone")
    assert "A request takes" in said


def test_a_target_that_is_none_is_refused(repository):
    command = [TRIPTYCH, "bench", "diagnose", "search_images", "--repository", str(repository.root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "there is no model 'search_images'" in done.stderr
