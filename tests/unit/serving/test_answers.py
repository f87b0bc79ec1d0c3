"""Every request gets its answer, whatever happens to its neighbours. Triton's side is a fake here (pb_utils exists in stubs only)."""

import importlib
import json
import sys
import threading
import time
import types

import numpy as np
import pytest


class FakeSender:
    """Triton's response sender; one that is broken raises, as it does when shared memory is full."""

    def __init__(self, broken):
        self.broken, self.sent = broken, []

    def send(self, response, flags):
        if self.broken:
            raise RuntimeError("no space left in shared memory")
        self.sent.append(response)


class FakeRequest:
    def __init__(self, value, broken=False, unreadable=False):
        self.value, self.unreadable, self.sender = value, unreadable, FakeSender(broken)

    def is_cancelled(self):
        return False

    def inputs(self):
        if self.unreadable:
            raise RuntimeError("the memory is gone")
        return [types.SimpleNamespace(name=lambda: "x", as_numpy=lambda: np.array([[self.value]], np.float32))]

    def get_response_sender(self):
        return self.sender

    @property
    def answer(self):
        (response,) = self.sender.sent
        return response.error or float(response.tensors[0].array[0, 0])


@pytest.fixture
def pb_utils(monkeypatch):
    fake = types.ModuleType("triton_python_backend_utils")
    fake.TRITONSERVER_RESPONSE_COMPLETE_FINAL = 1
    fake.Tensor = lambda name, array: types.SimpleNamespace(name=name, array=np.array(array))
    fake.InferenceResponse = lambda tensors=(), error=None: types.SimpleNamespace(tensors=tensors, error=error)
    error = type("TritonError", (), {"__init__": lambda self, message, code: setattr(self, "message", message)})
    error.INTERNAL, error.INVALID_ARG, error.UNAVAILABLE, error.CANCELLED = 1, 2, 3, 4
    fake.TritonError = error
    log = lambda message: None  # noqa: E731
    fake.Logger = types.SimpleNamespace(log_error=log, log_warn=log, log_info=log)
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", fake)
    for name in [name for name in sys.modules if name.startswith("triptych_server.serving.")]:
        monkeypatch.delitem(sys.modules, name)
    return fake


@pytest.fixture
def backend(pb_utils):
    from contextlib import contextmanager

    network = importlib.import_module("triptych_server.serving.network")

    class Negation:
        concurrency = 2

        @contextmanager
        def run(self, feeds):
            if (feeds["x"] == 13).any():
                raise ValueError("13")
            yield {"y": -feeds["x"]}

        def close(self):
            pass

    made = network.NetworkBackend()
    made._instance = types.SimpleNamespace(model="net", name="net_0")
    made._session = Negation()
    made._slots = threading.BoundedSemaphore(2)
    made._triton_collects = True
    made._pace = network.Pace(1)
    made._workers = network.ThreadPoolExecutor(2)
    yield made
    made.finalize()


def serve(backend, *batches):
    """Each batch in turn, on a thread of its own so that a backend that blocks is a failure and not a hang."""

    def run():
        for batch in batches:
            backend.execute(batch)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "execute is blocked: a slot was lost"
    backend._workers.shutdown(wait=True)


def test_a_failed_send_leaves_no_neighbour_unanswered(backend):
    batch = [FakeRequest(1), FakeRequest(2, broken=True), FakeRequest(3), FakeRequest(4)]
    serve(backend, batch)
    assert [request.answer for request in batch if not request.sender.broken] == [-1, -3, -4]


def test_a_request_that_fails_the_batch_fails_alone(backend):
    batch = [FakeRequest(1), FakeRequest(13), FakeRequest(3)]
    serve(backend, batch)
    assert (batch[0].answer, batch[2].answer) == (-1, -3)
    assert batch[1].answer.message == "net failed on this request (ValueError); the server's log has the details"


def test_unreadable_requests_are_answered_and_cost_no_slot(backend):
    batches = [[FakeRequest(1, unreadable=True), FakeRequest(2)] for _ in range(5)]
    batches += [[FakeRequest(3, unreadable=True), FakeRequest(4), FakeRequest(5)] for _ in range(5)]
    serve(backend, *batches)
    for batch in batches:
        assert "RuntimeError" in batch[0].answer.message
        assert [request.answer for request in batch[1:]] == [-request.value for request in batch[1:]]


def test_a_python_model_answers_the_others_too(pb_utils):
    mapped = importlib.import_module("triptych_server.serving.mapped")

    class Doubler(mapped.MappedModel):
        def prepare(self, instance, parameters):
            return lambda inputs: {"y": 2 * inputs["x"]}

    config = {"max_batch_size": 8, "input": [], "output": [], "parameters": {"threads": {"string_value": "2"}}}
    args = dict.fromkeys(("model_name", "model_instance_name", "model_instance_kind", "model_repository", "model_version"), "m")
    model = Doubler()
    model.initialize({**args, "model_instance_device_id": "0", "model_config": json.dumps(config)})
    batch = [FakeRequest(1), FakeRequest(2, broken=True), FakeRequest(3, unreadable=True), FakeRequest(4)]
    model.execute(batch)
    model.finalize()
    assert (batch[0].answer, batch[3].answer) == (2, 8)
    assert "RuntimeError" in batch[2].answer.message


def test_an_opening_that_takes_long_is_told(pb_utils):
    """TensorRT builds engines for minutes: without a word that looks like a hang."""
    from triptych_server.serving.opening import told_while_opening

    told = []
    pb_utils.Logger.log_info = told.append
    with told_while_opening("net_0", every=0.05):
        time.sleep(0.18)
    count = len(told)
    assert 2 <= count <= 4
    assert told[0].startswith("net_0: still being opened after 0 s")
    time.sleep(0.1)
    assert len(told) == count
