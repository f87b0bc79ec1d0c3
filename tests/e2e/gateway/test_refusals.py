"""What the gateway turns away, over real HTTP in front of the real Triton: each with its status, a sentence, and nothing of the inside."""

import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.bad_images import INSIDE, bad_images
from tests.support.gateway import CLIP, FACES, PACK, VISUAL, gateway
from tests.support.immich import recorded, sent

TEXTUAL = {"clip": {"textual": {"modelName": CLIP}}}
DETECTION = {"facial-recognition": {"detection": {"modelName": PACK}}}


def clip(name):
    return {"clip": {"visual": {"modelName": name}}}


CASES = [
    ("{", {}, 422, "no JSON"),
    ("[]", {}, 422, "entries is a list; expected an object"),
    ({"clip": {"visual": {}}}, {}, 422, "clip.visual has no modelName"),
    ({"clip": {"visual": {"modelName": CLIP, "mode": 1}}}, {}, 422, "'mode'; expected modelName and options alone"),
    ({"clip": {"sounds": {"modelName": CLIP}}}, {}, 422, "clip has no type 'sounds'; expected visual or textual"),
    ({"voices": {}}, {}, 422, "no task 'voices'; expected clip, facial-recognition"),
    ({"ocr": {"detection": {"modelName": "PP-OCRv5_mobile"}}}, {}, 422, "switch OCR off"),
    ({"facial-recognition": {"recognition": {"modelName": PACK}}}, {}, 400, "depends on the output of detection"),
    (
        {"facial-recognition": {"detection": {"modelName": PACK, "options": {"minScore": 1.5}}}},
        {},
        422,
        "minScore is 1.5; expected a number from 0",
    ),
    (
        {"facial-recognition": {"detection": {"modelName": PACK}, "recognition": {"modelName": "antelopev2"}}},
        {},
        422,
        "name one and the same",
    ),
    (clip("ViT-B-16__openai"), {}, 422, "Served is 'immich-app/ViT-B-32__openai'. To switch: triptych models use ViT-B-16__openai"),
    (clip("ViT-B-32__opnai"), {}, 422, "did you mean ViT-B-32__openai"),
    (clip("buffalo_l"), {}, 422, "'buffalo_l' is a face model, and a CLIP is asked for"),
    ({"facial-recognition": {"detection": {"modelName": "antelopev2"}}}, {}, 422, "triptych models use antelopev2"),
    (TEXTUAL, {}, 422, "a picture was sent"),
    (VISUAL, {"image": None}, 400, "Either image or text must be provided"),
    (TEXTUAL, {"image": None, "text": ""}, 400, "Either image or text must be provided"),
    (VISUAL, {"image": None, "text": "dogs"}, 422, "a text was sent"),
    (VISUAL, {"image": b""}, 400, "the image is empty"),
]


@pytest.mark.parametrize(("entries", "content", "status", "reason"), CASES, ids=[case[3][:30] for case in CASES])
def test_wrong_requests(running, group, entries, content, status, reason):
    answer = running.predict(entries, **{"image": group, **content})
    assert (answer.status_code, reason in answer.json()["detail"]) == (status, True), answer.text
    assert not INSIDE.search(answer.text)


def test_bad_pictures_are_the_senders_fault(running):
    """Whatever is wrong with them, whoever asks, and never a 500."""
    cases = [bad for bad in bad_images() if len(bad.data) < 1 << 20]

    def ask(case):
        return [(case.name, running.predict(entries, case.data)) for entries in (VISUAL, {**VISUAL, **FACES})]

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for both in pool.map(ask, cases) for answer in both]
    assert len(answers) > 140
    wrong = [(name, answer.status_code, answer.text) for name, answer in answers if answer.status_code != 400 or INSIDE.search(answer.text)]
    assert wrong == []


def test_a_form_without_entries_or_end(running, group):
    request = recorded("clip_visual", image=group)
    assert sent(running.port, request.replace(b'name="entries"', b'name="nothing"')).status == 422
    status, _, body = sent(running.port, request.replace(b"364--", b"364xx"))
    assert (status, "last boundary" in body.decode()) == (422, True)
    other = running.get("/predict")
    assert other.status_code == 405


def test_unknown_paths(running):
    assert running.get("/v2/models").status_code == 404
    assert "/v2/models" not in running.get("/metrics").text


def test_limits(triton, folder, group):
    """One of a megabyte, of 0.1 Mpx, and two requests at a time."""
    limits = ("--max-upload-mb", "1", "--max-megapixels", "0.1", "--max-in-flight", "2")
    with gateway([triton.grpc_url], folder, *limits) as small:
        answer = small.predict(VISUAL, group)
        assert (answer.status_code, answer.json()["detail"]) == (
            400,
            "the image has 720 x 480 = 345,600 pixels, more than the limit of 100,000; send a smaller one",
        )
        assert small.predict(VISUAL, bytes(1 << 20)).status_code == 413
        assert streamed(small.port, 2 << 20) == 413
        held = [begun(small.port) for _ in range(2)]
        time.sleep(0.2)
        began = time.monotonic()
        answer = small.predict(TEXTUAL, text="dogs")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert time.monotonic() - began < 1
        assert small.get("/ping").text == "pong"
        for connection in held:
            connection.close()
        deadline = time.monotonic() + 5
        while small.predict(TEXTUAL, text="dogs").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        page = small.get("/metrics").text
        assert 'triptych_gateway_requests_total{path="/predict",status="503"}' in page
        assert 'triptych_gateway_requests_total{path="/predict",status="499"} 2.0' in page


def begun(port):
    """A request whose body never comes."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(recorded("clip_visual", image=bytes(1000))[:600])
    return connection


def streamed(port, size):
    """The status of an upload that does not announce its length."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="blob"\r\n\r\n'

    def pieces():
        yield head
        for _ in range(size >> 16):
            yield bytes(1 << 16)

    connection.request("POST", "/predict", pieces(), {"Content-Type": "multipart/form-data; boundary=b"}, encode_chunked=True)
    return connection.getresponse().status


def test_an_api_key(triton, folder, group):
    key = "t" * 20
    with gateway([triton.grpc_url], folder, "--max-faces", "1", environment={"TRIPTYCH_API_KEY": key}) as locked:
        assert locked.get("/ping").text == "pong"
        assert locked.get("/health/ready").json() == {"status": "ready"}
        answer = locked.predict(VISUAL, group)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert locked.get("/metrics").status_code == 401
        for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {key}"}, {"X-Api-Key": key[1:]}):
            assert locked.predict(VISUAL, group, headers=headers).status_code == 401
        for headers in ({"Authorization": f"Bearer {key}"}, {"X-Api-Key": key}):
            assert locked.predict(VISUAL, group, headers=headers).status_code == 200
        assert len(locked.predict(FACES, group, headers=headers).json()["facial-recognition"]) == 1, "of the three on it"


def test_request_ids_reach_the_log_the_answer_and_triton(running, triton, group):
    answer = running.predict(VISUAL, group, headers={"X-Request-Id": "album-7/photo.12"})
    assert answer.headers["x-request-id"] == "album-7/photo.12"
    assert "album-7/photo.12" in running.log.read_text()
    assert "album-7/photo.12" in triton.log_file.read_text(errors="replace")
    strange = running.predict(VISUAL, group, headers={"X-Request-Id": "x" * 129})
    assert len(strange.headers["x-request-id"]) == 32


def test_no_triton_at_all(folder, group):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"grpc://127.0.0.1:{listener.getsockname()[1]}"
    with gateway([nobody], folder, ready=False) as alone:
        assert alone.get("/health/live").status_code == 200
        for path in ("/ping", "/health/ready"):
            assert alone.get(path).status_code == 503
        answer = alone.predict(VISUAL, group)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "no Triton is ready" in answer.json()["detail"]


def test_who_hangs_up_is_not_worked_for(running, triton, group):
    """The request leaves Triton's queue: with the network busy, none of what was left is run."""
    log = running.log.read_text().count(" 499 ")
    sockets = []
    for _ in range(12):
        connection = socket.create_connection(("127.0.0.1", running.port))
        connection.sendall(recorded("faces", image=group))
        sockets.append(connection)
    time.sleep(0.02)
    for connection in sockets:
        connection.close()
    deadline = time.monotonic() + 10
    while running.log.read_text().count(" 499 ") == log:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    while "triptych_gateway_in_flight 0.0" not in running.get("/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert json.loads(sent(running.port, recorded("clip_visual", image=group)).body)["imageWidth"] == 720


def test_pages(running):
    paths = running.get("/openapi.json").json()["paths"]
    models = {"/v1/models", "/v1/models/{model}"}
    assert set(paths) == {"/", "/ping", "/predict", "/v1/embeddings", "/health/live", "/health/ready", "/metrics"} | models
    page = running.get("/docs").text
    assert all(path in page for path in paths)
    assert "src=" not in page and "http" not in page.replace("<!doctype html>", "")
    ready = running.get("/health/ready").json()
    assert ready["tritons"][0] | {"pending": 0, "url": ""} == {
        "url": "",
        "ready": True,
        "reason": "",
        "clip": "immich-app/ViT-B-32__openai",
        "faces": "immich-app/buffalo_l",
        "pending": 0,
    }
