"""The client against the real Triton: four ways in, one answer; threads, failures, status, and the command line."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.serving import CHECKOUT, serving
from tests.support.ways import PROTOCOLS, WAYS, Ask, asking, url_of
from triptych import (
    Client,
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    RetryPolicy,
    ServerUnreachable,
)
from triptych_server.engine import Engine
from triptych_server.repository import Repository


@pytest.fixture(params=WAYS, ids="-".join)
def ask(request: pytest.FixtureRequest, engine: Any) -> Ask:
    kind, protocol = request.param
    return asking(kind, url_of(engine, protocol), metrics_url=engine.metrics_url, headers=engine.control_headers)


@pytest.fixture(params=PROTOCOLS)
def url(request: pytest.FixtureRequest, engine: Any) -> str:
    return url_of(engine, request.param)


def picture(seed: int) -> Image.Image:
    """Coloured stripes, different for every seed."""
    y, x = np.mgrid[0:240, 0:320]
    stripes = np.stack([(x * (seed + 1)) % 256, (y * (seed + 3)) % 256, (x + y * seed) % 256], axis=-1)
    return Image.fromarray(stripes.astype(np.uint8))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def reference(engine: Any) -> dict[str, np.ndarray]:
    with Client(engine.grpc_url) as client:
        return {"image": client.embed_image(png(picture(1))), "text": client.embed_text("a red car on a beach")}


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def test_every_way_gives_the_same_picture_embedding(ask, reference, tmp_path):
    file = tmp_path / "photo.png"
    file.write_bytes(png(picture(1)))
    for form in (file, str(file), file.read_bytes(), picture(1), np.asarray(picture(1))):
        embedding = ask("embed_image", form)
        assert embedding.dtype == np.float32
        assert embedding.shape == reference["image"].shape
        assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-3)
        assert cosine(embedding, reference["image"]) > 0.9999


def test_every_way_gives_the_same_text_embedding(ask, reference):
    embedding = ask("embed_text", "a red car on a beach")
    assert embedding.shape == reference["text"].shape == reference["image"].shape
    assert cosine(embedding, reference["text"]) > 0.9999


def test_many_texts_are_the_single_texts_stacked(ask):
    texts = [f"{count} {thing}" for count in ("one", "two", "three", "many") for thing in ("dogs", "ships", "stars", "trees", "boats")] * 4
    together = ask("embed_text", texts)
    assert together.shape[0] == len(texts)
    for row in (0, 1, len(texts) - 1):
        assert cosine(together[row], ask("embed_text", texts[row])) > 0.999


def test_bulk_gives_every_picture_its_own_embedding(ask):
    pictures = [png(picture(seed)) for seed in range(12)]
    pairs = ask("embed_images", pictures, concurrency=6)
    assert [pair.image for pair in pairs] == pictures
    for index in (0, 5, 11):
        assert cosine(pairs[index].embedding, ask("embed_image", pictures[index])) > 0.999


def test_bulk_tells_bad_pictures_from_good_ones(ask):
    good = png(picture(2))
    told = []
    pairs = ask("embed_images", [good, b"no picture", good[:100], good], on_error=lambda image, error: told.append((image, type(error))))
    assert [pair.image for pair in pairs] == [good, good]
    assert told == [(b"no picture", InvalidInput), (good[:100], InvalidInput)]


@pytest.mark.parametrize(
    "data", [b"", b"no picture at all", b"\xff\xd8\xff\xe0 broken", png(picture(3))[:60]], ids=["empty", "text", "jpeg-header", "cut-png"]
)
def test_what_is_no_picture_is_invalid_input(ask, data):
    with pytest.raises(InvalidInput) as caught:
        ask("embed_image", data)
    text = str(caught.value)
    assert text
    assert "/" not in text.replace("N/A", "")  # no path of the server
    assert "Traceback" not in text
    assert not text.startswith(("[", "in ensemble"))


def test_an_unknown_model_is_not_found(url):
    for kind in ("blocking", "asyncio"):
        ask = asking(kind, url, image_model="no_such_model", text_model="no_such_model")
        with pytest.raises(NotFound, match="no_such_model"):
            ask("embed_image", png(picture(1)))
        with pytest.raises(NotFound, match="no_such_model"):
            ask("embed_text", ["a", "b"])


@pytest.mark.parametrize(("kind", "protocol"), WAYS)
def test_a_wrong_port_is_unreachable_within_the_deadline(kind, protocol):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(ServerUnreachable, match=f"127.0.0.1:{port}"):
        asking(kind, f"{protocol}://127.0.0.1:{port}")("embed_text", "x", timeout=5)
    assert time.monotonic() - start < 5


def test_the_other_protocols_port_is_told_apart(engine):
    for wrong in (engine.grpc_url.replace("grpc://", "http://"), engine.http_url.replace("http://", "grpc://")):
        for kind in ("blocking", "asyncio"):
            with pytest.raises(ServerUnreachable):
                asking(kind, wrong, retry=RetryPolicy.never())("embed_text", "x", timeout=10)


def test_a_deadline_too_short_for_any_server_is_exceeded(ask):
    with pytest.raises(DeadlineExceeded):
        ask("embed_image", np.zeros((2000, 2000, 3), np.uint8), timeout=0.001)


def test_many_threads_share_one_client(url):
    pictures = [png(picture(seed)) for seed in range(8)]
    with Client(url) as client:
        alone = [client.embed_image(data) for data in pictures]
        with ThreadPoolExecutor(16) as pool:
            together = list(pool.map(lambda n: client.embed_image(pictures[n % 8]), range(96)))
            texts = list(pool.map(lambda n: client.embed_text(f"text {n % 8}"), range(96)))
    for n, embedding in enumerate(together):
        assert cosine(embedding, alone[n % 8]) > 0.999
    for n, embedding in enumerate(texts):
        assert cosine(embedding, texts[n % 8]) > 0.9999


KEY = "a-key-of-this-test"


@pytest.fixture(scope="module")
def guarded_engine(demo_repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """With its control APIs closed to whoever does not send the key, as they are when it is open to the network."""
    with serving(demo_repository, tmp_path_factory.mktemp("guarded"), control_key=KEY) as running:
        yield running


@pytest.mark.parametrize(("kind", "protocol"), WAYS)
def test_headers_open_what_the_server_keeps_closed(guarded_engine, kind, protocol):
    name = {"grpc": "Triton-Grpc-Protocol-Triptych-Control", "http": "Triptych-Control"}[protocol]
    url, page = url_of(guarded_engine, protocol), guarded_engine.metrics_url
    opened = asking(kind, url, metrics_url=page, headers={name: KEY})("server_status")
    assert opened.note is None
    for headers in (None, {name: "another key"}):
        closed = asking(kind, url, metrics_url=page, headers=headers)("server_status")
        assert closed.note is not None
        assert "control key" in closed.note
        assert [model.name for model in closed] == [model.name for model in opened if model.ready]  # those that are in the statistics


def test_the_status_shows_every_model_at_work(ask):
    ask("embed_image", png(picture(4)))
    ask("embed_text", "something to count")
    status = ask("server_status")
    models = {model.name: model for model in status}
    assert status.note is None
    assert {"search_image", "search_text", "clip_visual", "clip_textual", "clip_preprocess", "clip_tokenize"} <= models.keys()
    assert all(model.ready or model.left_out for model in models.values())
    visual = models["clip_visual"]
    assert visual.device_actual is not None
    assert visual.device_actual == visual.device_requested
    assert visual.precision is not None
    assert visual.instances is not None
    assert visual.instances >= 1
    assert visual.count is not None
    assert visual.count >= 1
    assert visual.mean_batch is not None
    assert visual.mean_batch >= 1
    assert visual.p50_ms is not None
    assert visual.p50_ms > 0
    assert models["search_image"].instances is None  # an ensemble has none


def test_the_status_without_metrics_says_why(url, engine):
    for kind in ("blocking", "asyncio"):
        status = asking(kind, url, metrics_url="http://127.0.0.1:1", headers=engine.control_headers)("server_status")
        assert status.note == "no metrics at http://127.0.0.1:1/metrics: Connection refused"
        assert all(model.p50_ms is None for model in status)
        assert len(status) >= 6


def triptych(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from triptych.cli import main; main()", *arguments]
    return subprocess.run(
        program, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )


def test_the_command_line_embeds_searches_and_shows_the_status(engine, url, tmp_path):
    for seed in range(5):
        (tmp_path / f"{seed}.png").write_bytes(png(picture(seed)))
    (tmp_path / "broken.jpg").write_bytes(b"no picture")

    embedded = triptych("embed", str(tmp_path), "--url", url)
    assert embedded.returncode == 1
    assert len(embedded.stdout.splitlines()) == 5
    assert "broken.jpg" in embedded.stderr
    assert embedded.stderr.endswith("triptych: 1 photo could not be embedded\n")

    found = triptych("search", "stripes", str(tmp_path), "--top", "3", "--json", "--url", url)
    assert found.returncode == 0
    scores = [hit["score"] for hit in json.loads(found.stdout)]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)

    status = triptych("status", "--url", url, "--metrics-url", engine.metrics_url)
    assert (status.returncode, status.stderr) == (0, "")
    assert "clip_visual" in status.stdout


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """A test that fails halfway must not leave the server, and with it the test run, waiting."""
    try:
        yield
    finally:
        process.terminate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_serve_says_where_it_answers_and_stops_when_told(demo_repository, tmp_path, number):
    ports = [f"--{service}-port=0" for service in ("http", "grpc", "metrics")]
    program = [sys.executable, "-c", "from triptych.cli import main; main()", "serve", *ports]
    command = [*program, "--repository", str(demo_repository.root), "--log-file", str(tmp_path / "triton.log"), "--profile", "cpu"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process, ended(process):
        assert process.stdout is not None
        assert process.stdout.readline() == "serving with profile cpu at\n"
        grpc_url, http_url, metrics_url = (process.stdout.readline().strip() for _ in range(3))
        for url in (grpc_url, http_url):
            with Client(url, metrics_url=metrics_url) as client:
                assert all(model.ready or model.left_out for model in client.server_status())
        process.send_signal(number)
        printed, told = process.communicate(timeout=60)
    assert (process.returncode, printed) == (0, "stopping\n")
    assert [line for line in told.splitlines() if not line.startswith("not served: ")] == []  # models without weights are named
    with pytest.raises(ServerUnreachable), Client(grpc_url) as client:
        client.embed_text("x", timeout=5)


def examples() -> list[str]:
    """The runnable Python of docs/client.md: every block that talks to the server on this machine."""
    text = (CHECKOUT.root / "docs" / "client.md").read_text(encoding="utf-8")
    return [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "127.0.0.1" in block]


@pytest.mark.parametrize("number", range(len(examples())))
def test_the_examples_of_the_documentation_run(engine, tmp_path, number):
    (tmp_path / "album").mkdir()
    for name in ("photo.jpg", "album/1.jpg", "album/2.jpg"):
        picture(len(name)).save(tmp_path / name)
    (tmp_path / "album" / "broken.jpg").write_bytes(b"no picture")
    served = {"grpc://127.0.0.1:8001": engine.grpc_url, "http://127.0.0.1:8000": engine.http_url}
    example = examples()[number].replace("http://127.0.0.1:8002/metrics", engine.metrics_url)
    for shown, real in served.items():
        example = example.replace(shown, real)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout
