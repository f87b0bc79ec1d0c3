"""Every request gets its answer, whatever happens to its neighbours. Triton's side is a fake here (pb_utils exists in stubs only)."""

import contextlib
import importlib
import json
import os
import re
import sys
import threading
import time
import types

import numpy as np
import pytest

from triptych_server.sessions.protocol import Device


class FakeSender:
    """Triton's response sender; one that is broken raises, as it does when shared memory is full."""

    def __init__(self, broken):
        self.broken, self.sent = broken, []

    def send(self, response, flags):
        if self.broken:
            raise RuntimeError("no space left in shared memory")
        self.sent.append(response)


class FakeRequest:
    def __init__(self, value, broken=False, unreadable=False, timeout=0, **parameters):
        self.value, self.unreadable, self.sender = value, unreadable, FakeSender(broken)
        self.microseconds, self.given = timeout, parameters

    def is_cancelled(self):
        return False

    def timeout(self):
        return self.microseconds

    def parameters(self):
        return json.dumps(self.given)

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


class FakeFamily:
    """Triton's metrics: the values of all, by name."""

    COUNTER, GAUGE, values = "counter", "gauge", {}

    def __init__(self, name, description, kind):
        self.name = name

    def Metric(self, labels):  # noqa: N802
        self.values[self.name] = 0
        return self

    def increment(self, value):
        self.values[self.name] += value

    def set(self, value):
        self.values[self.name] = value


@pytest.fixture
def pb_utils(monkeypatch):
    fake = types.ModuleType("triton_python_backend_utils")
    fake.TRITONSERVER_RESPONSE_COMPLETE_FINAL = 1
    fake.Tensor = lambda name, array: types.SimpleNamespace(name=name, array=np.array(array))
    fake.InferenceResponse = lambda tensors=(), error=None: types.SimpleNamespace(tensors=tensors, error=error)
    error = type("TritonError", (), {"__init__": lambda self, message, code: setattr(self, "message", message)})
    error.INTERNAL, error.INVALID_ARG, error.UNAVAILABLE, error.CANCELLED = 1, 2, 3, 4
    fake.TritonError = error
    fake.MetricFamily = FakeFamily
    log = lambda message: None  # noqa: E731
    fake.Logger = types.SimpleNamespace(log_error=log, log_warn=log, log_info=log)
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", fake)
    for name in [name for name in sys.modules if name.startswith("triptych_server.serving.")]:
        monkeypatch.delitem(sys.modules, name)
    return fake


def network(tmp_path, run, **parameters):
    """A backend whose graph negates; `run` sees each batch."""
    module = importlib.import_module("triptych_server.serving.network")

    class Negation:
        concurrency, inputs, outputs, device = 2, (), (), Device("CPU", "CPU", "f32")

        @contextlib.contextmanager
        def run(self, feeds):
            run(feeds["x"])
            yield {"y": -feeds["x"]}

        def close(self):
            pass

    made = module.NetworkBackend()
    made.open = lambda settings: Negation()
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "model.onnx").touch()
    made.initialize(arguments(max_batch_size=8, dynamic_batching={}, folder=tmp_path, **parameters))
    return made


@pytest.fixture
def backend(pb_utils, tmp_path):
    def run(rows):
        if (rows == 13).any():
            raise ValueError("13")

    return network(tmp_path, run)


def arguments(max_batch_size=8, dynamic_batching=None, folder="m", **parameters):
    """What Triton gives to `initialize`."""
    given = {key: {"string_value": str(value)} for key, value in parameters.items()}
    config = {"max_batch_size": max_batch_size, "input": [], "output": [], "parameters": given, "dynamic_batching": dynamic_batching}
    names = {"model_name": "net", "model_instance_name": "net_0", "model_instance_kind": "CPU", "model_version": "1"}
    return {**names, "model_repository": str(folder), "model_instance_device_id": "0", "model_config": json.dumps(config)}


def serve(model, *batches):
    """Each batch in turn, then the end, on a thread of its own so that a model that blocks is a failure and not a hang."""

    def run():
        for batch in batches:
            model.execute(batch)
        model.finalize()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "the model is blocked"


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

    model = Doubler()
    model.initialize(arguments(threads=2))
    batch = [FakeRequest(1), FakeRequest(2, broken=True), FakeRequest(3, unreadable=True), FakeRequest(4)]
    serve(model, batch)
    assert (batch[0].answer, batch[3].answer) == (2, 8)
    assert "RuntimeError" in batch[2].answer.message


def test_what_comes_while_the_runtime_is_busy_becomes_one_batch_and_is_counted(pb_utils, tmp_path):
    begun, go_on = threading.Event(), threading.Event()

    def run(rows):
        begun.set()
        go_on.wait(30)

    backend = network(tmp_path, run)
    backend.execute([FakeRequest(0)])
    assert begun.wait(30)
    others = [FakeRequest(value) for value in range(1, 9)]
    for each in others:
        backend.execute([each])
    go_on.set()
    serve(backend)
    assert [request.answer for request in others] == [-request.value for request in others]
    values = FakeFamily.values
    assert values["triptych_rows_total"] == values["triptych_taken_total"] == 9
    assert values["triptych_runs_total"] == 2
    assert values["triptych_compute_seconds_total"] > 0
    assert values["triptych_queue_seconds_total"] > 0
    assert values["triptych_refused_total"] == values["triptych_waiting"] == 0


@pytest.fixture
def slow(pb_utils):
    """A model that answers one request at a time, and says in which order it saw them; at 0 it stands until it may `go_on`."""
    mapped = importlib.import_module("triptych_server.serving.mapped")

    class Slow(mapped.MappedModel):
        def prepare(self, instance, parameters):
            self.seen, self.stands, self.go_on = [], threading.Event(), threading.Event()

            def answer(inputs):
                self.seen.append(float(inputs["x"][0, 0]))
                if self.seen[-1] == 0:
                    self.stands.set()
                    self.go_on.wait(30)
                return {"y": inputs["x"]}

            return answer

        def stand(self):
            self.execute([FakeRequest(0)])
            assert self.stands.wait(30)

    return Slow()


def test_more_than_may_wait_are_refused_at_once(slow):
    slow.initialize(arguments(max_waiting=2))
    slow.stand()
    batch = [FakeRequest(value) for value in range(1, 6)]
    slow.execute(batch)
    assert {request.answer.message for request in batch[2:]} == {"net has 2 requests waiting already; ask again later"}
    slow.go_on.set()
    serve(slow)
    assert [request.answer for request in batch[:2]] == [1, 2]
    assert FakeFamily.values["triptych_refused_total"] == 3


def test_urgent_requests_go_first(slow):
    slow.initialize(arguments())
    slow.stand()
    slow.execute([FakeRequest(1), FakeRequest(2, triptych_priority=7), FakeRequest(3, triptych_priority=1)])
    slow.go_on.set()
    serve(slow)
    assert slow.seen == [0, 3, 1, 2]


def test_a_request_waits_no_longer_than_its_client_wants(slow):
    slow.initialize(arguments())
    slow.stand()
    impatient, patient = FakeRequest(1, timeout=10_000), FakeRequest(2)
    slow.execute([impatient, patient])
    time.sleep(0.05)  # its 10 ms are over
    slow.go_on.set()
    serve(slow)
    assert re.fullmatch(r"Request timeout expired: it waited \d+\.\d s for net", impatient.answer.message)
    assert patient.answer == 2
    assert slow.seen == [0, 2]


def test_an_opening_that_takes_long_is_told(pb_utils):
    """TensorRT builds engines for minutes: without a word that looks like a hang."""
    from triptych_server.serving.opening import told_while_opening

    told, twice = [], threading.Event()
    pb_utils.Logger.log_info = lambda line: (told.append(line), len(told) > 1 and twice.set())
    with told_while_opening("net_0", every=0.05):
        assert twice.wait(30)
    assert re.fullmatch(r"net_0: still being opened after \d+ s", told[0])
    assert "opening" not in [thread.name for thread in threading.enumerate()]


def test_counts_that_cannot_be_published_once_are_published_later(slow, monkeypatch):
    """Counts that stand still look like a model that hangs."""
    failed = threading.Event()

    def fails_once(self, value):
        monkeypatch.setattr(FakeFamily, "set", set_value)
        failed.set()
        raise RuntimeError("Triton is busy")

    set_value = FakeFamily.set
    monkeypatch.setattr(FakeFamily, "set", fails_once)
    slow.initialize(arguments())
    assert failed.wait(30)
    serve(slow, [FakeRequest(1)])
    assert FakeFamily.values["triptych_taken_total"] == 1


def test_a_worker_that_fails_answers_its_batch_and_works_on(slow):
    slow.initialize(arguments())
    respond, requests = slow._respond, [FakeRequest(1), FakeRequest(2)]

    def fail(waiting):
        slow._respond = respond
        raise RuntimeError("what nobody thought of")

    slow._respond = fail
    serve(slow, [requests[0]], [requests[1]])
    assert "RuntimeError" in requests[0].answer.message
    assert requests[1].answer == 2


def test_a_network_waits_for_decoders_on_its_cores_and_is_full_while_it_computes(pb_utils, tmp_path, monkeypatch):
    load = importlib.import_module("triptych_server.serving.load")
    neighbours = importlib.import_module("triptych_server.serving.neighbours")
    monkeypatch.setattr(neighbours, "LONGEST_GATHERING_SECONDS", 600.0)
    shown = tmp_path / "shown"
    shown.mkdir()
    monkeypatch.setenv(load.FOLDER_VARIABLE, str(shown))
    batches, begun, go_on = [], threading.Event(), threading.Event()

    def run(rows):
        batches.append(len(rows))
        begun.set()
        go_on.wait(30)

    decoder, feeder = load.Load("decoder", shown), load.Loads(("net",), shown)
    decoder.show(full=False, owes=True)
    model, requests = network(tmp_path, run, takes_turns_with="decoder"), [FakeRequest(1), FakeRequest(2)]
    model.execute(requests[:1])
    assert not begun.wait(0.05)
    assert (feeder.any_full(), feeder.any_owes()) == (False, True)
    model.execute(requests[1:])
    decoder.show(full=False, owes=False)
    assert begun.wait(30)
    assert feeder.any_full()
    go_on.set()
    serve(model)
    assert (batches, [request.answer for request in requests]) == ([2], [-1, -2])
    assert [file.name for file in shown.iterdir()] == [f"decoder.{os.getpid()}"]
