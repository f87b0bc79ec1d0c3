"""Idle models behind the gateway on the real Triton: it stays ready, and the first request waits and succeeds."""

import time

import pytest

from tests.support.gateway import CLIP, FACES, VISUAL, gateway
from tests.support.serving import options
from triptych import Client
from triptych_server.engine import Engine

SECONDS = 240


@pytest.fixture(scope="module")
def sleepy(named_repository, tmp_path_factory):
    """A Triton that unloads what nobody asked for in three seconds."""
    with Engine(options(named_repository, tmp_path_factory.mktemp("sleepy"), model_ttl=3)) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(sleepy):
    with Client(sleepy.grpc_url, metrics_url=sleepy.metrics_url, timeout=SECONDS, headers=sleepy.control_headers) as connected:
        yield connected


@pytest.fixture(scope="module")
def front(sleepy, tmp_path_factory):
    with gateway([sleepy.grpc_url], tmp_path_factory.mktemp("front")) as started:
        yield started


def until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def idle(client):
    return {model.name for model in client.server_status() if model.idle}


def test_the_first_request_waits_and_succeeds(front, client, group):
    """The gateway stays ready meanwhile, and knows what is served; nothing is wrong with a server whose models are idle."""
    until(lambda: {"faces", "photo", "face_recognition", "face_detection"} <= idle(client))
    assert client.server_status().problems == ()
    assert front.get("/ping").text == "pong"
    (triton,) = front.get("/health/ready").json()["tritons"]
    assert (triton["clip"], triton["faces"], triton["reason"]) == (f"immich-app/{CLIP}", "immich-app/buffalo_l", "")
    answer = front.predict({**VISUAL, **FACES}, group)
    assert len(answer.json()["facial-recognition"]) >= 2, answer.text
    until(lambda: "search_text" in idle(client))
    assert client.embed_text(["two boats"] * 40).shape[0] == 40
