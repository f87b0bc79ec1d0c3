"""Two real Tritons behind one gateway: both are used; one is killed under load, and no request is lost."""

import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.gateway import CLIP, FACES, VISUAL, gateway
from tests.support.serving import serving
from triptych import Client

TEXTUAL = {"clip": {"textual": {"modelName": CLIP}}}


@pytest.fixture
def other(named_repository, folder):
    """A second Triton, to be killed."""
    with serving(named_repository, folder) as engine:
        yield engine


def answered(engine):
    with Client(engine.grpc_url, metrics_url=engine.metrics_url) as client:
        return sum(model.count or 0 for model in client.server_status() if model.name in ("search_image", "search_text", "faces"))


def test_a_triton_killed_under_load_costs_no_request(triton, other, folder, group):
    requests = [(VISUAL, {"image": group}), (FACES, {"image": group}), (TEXTUAL, {"text": "two boats"})]
    with gateway([triton.grpc_url, other.grpc_url], folder) as both:
        wait(lambda: [each["ready"] for each in both.get("/health/ready").json()["tritons"]] == [True, True])
        before = [answered(triton), answered(other)]
        seen, killed, stop = [], threading.Event(), threading.Event()

        def ask(index):
            while not stop.is_set():
                entries, content = requests[index % len(requests)]
                seen.append((killed.is_set(), both.predict(entries, **content).status_code))
                index += 1

        with ThreadPoolExecutor(8) as pool:
            for worker in range(8):
                pool.submit(ask, worker)
            try:
                wait(lambda: min(answered(triton) - before[0], answered(other) - before[1]) >= 5)
                os.kill(other.pid, signal.SIGKILL)
                killed.set()
                wait(lambda: sum(after for after, _ in seen) >= 60)
            finally:
                stop.set()
        assert Counter(status for _, status in seen) == {200: len(seen)}
        state = both.get("/health/ready").json()
        assert [each["ready"] for each in state["tritons"]] == [True, False]
        assert "no Triton answers" in state["tritons"][1]["reason"] or state["tritons"][1]["reason"]
        page = both.get("/metrics").text
        assert f'triptych_gateway_triton_ready{{triton="{other.grpc_url}"}} 0.0' in page
        assert f'triptych_gateway_lost_total{{triton="{other.grpc_url}"}}' in page
        assert both.get("/ping").text == "pong"


def wait(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
