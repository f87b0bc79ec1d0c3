"""What OpenAI's API says before any model is asked. The Triton is a scripted server (tests/unit/client/scripted_server.py), which counts requests."""

import time

import pytest
from starlette.testclient import TestClient

from tests.unit.client.scripted_server import DIM, Script, grpc_server
from triptych.gateway.app import build
from triptych.gateway.settings import GatewaySettings


@pytest.fixture(scope="module")
def script():
    return Script(parameters={"clip_model": "immich-app/ViT-B-32__openai", "face_model": "immich-app/buffalo_l"})


@pytest.fixture(scope="module")
def api(script):
    with grpc_server(script) as address, TestClient(build(GatewaySettings((address,)))) as client:
        deadline = time.monotonic() + 60
        while client.get("/ping").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield client


def test_dimensions_that_the_model_does_not_have_are_refused_before_it_works(api, script):
    asked = {"model": "ViT-B-32__openai", "input": ["two boats"]}
    before = len(script.seen)
    answer = api.post("/v1/embeddings", json={**asked, "dimensions": DIM + 1})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidInput")
    assert f"the served model gives {DIM}" in answer.json()["error"]["message"]
    assert len(script.seen) == before
    assert api.post("/v1/embeddings", json={**asked, "dimensions": DIM}).status_code == 200


@pytest.mark.parametrize("spelling", ["ViT-B-32__openai", "immich-app/ViT-B-32__openai", "immich-app%2Fvit-b-32::openai"])
def test_one_model_in_whatever_spelling(api, spelling):
    assert api.get(f"/v1/models/{spelling}").json() == api.get("/v1/models").json()["data"][0]


@pytest.mark.parametrize(("path", "status"), [("models/gpt-4", 404), ("models/", 404), ("nothing", 404), ("embeddings", 405)])
def test_what_is_not_there_is_said_in_openais_form(api, path, status):
    answer = api.get(f"/v1/{path}", follow_redirects=False)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"
