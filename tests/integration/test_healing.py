"""Breaking the real Triton on purpose: what dies, hangs or is lost is found and healed, and readiness says so meanwhile."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import psutil
import pytest
import tritonclient.grpc as triton_grpc
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.utils import InferenceServerException

from tests.support import runnable
from tests.support.serving import add_model, empty_repository, options
from triptych_server.engine import Engine, healing
from triptych_server.engine.healing import Healing
from triptych_server.engine.readiness import HealthApi
from triptych_server.engine.sidecar import Sidecar
from triptych_server.engine.watch import Patience
from triptych_server.errors import EngineError

PYTHON = """
backend: "python"
max_batch_size: 8
input [ { name: "x" data_type: TYPE_UINT8 dims: [ 4 ] } ]
output [ { name: "y" data_type: TYPE_UINT8 dims: [ 4 ] } ]
instance_group [ { kind: KIND_CPU count: 1 } ]
"""
NETWORK = """
backend: "onnxruntime"
default_model_filename: "model.onnx"
max_batch_size: 8
input [ { name: "x" data_type: TYPE_UINT8 dims: [ 4 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]
instance_group [ { kind: KIND_CPU count: 1 } ]
"""
EXIT, HANG = 7, 8
FRAGILE = f"""
import os, time
import triton_python_backend_utils as pb_utils
class TritonPythonModel:
    def initialize(self, args):
        self.folder = args["model_repository"]
    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb_utils.get_input_tensor_by_name(request, "x").as_numpy()
            if x.max() == {EXIT}:
                os._exit(3)
            if x.max() == {HANG}:
                open(os.path.join(self.folder, "hangs"), "w").close()
                time.sleep(1000)
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("y", x)]))
        return answers
    def finalize(self):
        open(os.path.join(self.folder, "finalized"), "w").close()
"""
SECONDS = 60


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("healing")
    repository = empty_repository(tmp / "repository")
    add_model(repository, "net", NETWORK, runnable.doubler)
    add_model(repository, "fragile", PYTHON, code=FRAGILE, where="python_models")
    with Engine(options(repository, tmp, stop_timeout=3)) as running:
        yield running


@pytest.fixture
def healer(engine, monkeypatch):
    """Its steps are the test's, so that nothing happens between them."""
    monkeypatch.setattr("triptych_server.engine.watch.METRICS_SECONDS", 0.1)
    monkeypatch.setattr("triptych_server.engine.watch.INDEX_SECONDS", 0.0)
    return Healing(engine, Patience(asleep=1.0))


def ask(engine, model="fragile", value=1):
    with triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://")) as client:
        x = triton_grpc.InferInput("x", [1, 4], "UINT8")
        x.set_data_from_numpy(np.full((1, 4), value, np.uint8))
        return client.infer(model, [x], client_timeout=SECONDS).as_numpy("y").tolist()


def ready(engine):
    return HealthApi(engine.http_url, engine.control_headers).is_ready()


def stub(engine, model):
    children = [child for child in psutil.Process(engine.pid).children() if child.status() != psutil.STATUS_ZOMBIE]
    return next(child for child in children if f"/{model}/1/" in " ".join(child.cmdline()))


def steps_until(healer, condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        healer.step()
        time.sleep(0.05)


def heals(healer):
    return [line for line in healer.heals.page().splitlines() if line.startswith("triptych_heals_total")]


def exit_by_request(engine, model):
    with pytest.raises(InferenceServerException, match="not healthy"):
        ask(engine, model, EXIT)


def by_signal(number):
    return lambda engine, model: stub(engine, model).send_signal(number)


def test_a_process_that_dies_before_the_watch_begins_is_missed(engine, request):
    """Stands first: no watch has looked yet. A zombie no longer says whose it was."""
    stub(engine, "net").kill()
    healer = request.getfixturevalue("healer")
    steps_until(healer, lambda: healer.heals.total("net") and healer.heals.ready and ready(engine))
    assert heals(healer) == ['triptych_heals_total{model="net",reason="stub_died"} 1']


@pytest.mark.parametrize(
    ("model", "end", "reason"),
    [
        ("fragile", exit_by_request, "stub_died"),
        ("fragile", by_signal(signal.SIGSEGV), "stub_died"),
        ("fragile", by_signal(signal.SIGSTOP), "stub_stopped"),
        ("net", by_signal(signal.SIGKILL), "stub_died"),
    ],
    ids=["os._exit", "SIGSEGV", "SIGSTOP", "SIGKILL"],
)
def test_a_stub_that_ends_is_replaced_and_the_server_is_not_ready_meanwhile(engine, healer, monkeypatch, model, end, reason):
    states, load = [], healer._load
    monkeypatch.setattr(healer, "_load", lambda trouble: (states.append((ready(engine), healer.heals.ready)), load(trouble)))
    pid, old = engine.pid, stub(engine, model).pid
    waiting = f'triptych_waiting{{instance="{model}_0_0",model="{model}",pid="{old}"}}'
    assert (waiting in engine.metrics()) is (model == "net")
    end(engine, model)
    steps_until(healer, lambda: healer.heals.total(model) and healer.heals.ready and ready(engine))
    assert states == [(False, False)]
    assert heals(healer) == [f'triptych_heals_total{{model="{model}",reason="{reason}"}} 1']
    assert ask(engine, model, 5)
    assert stub(engine, model).pid != old
    assert engine.pid == pid
    assert waiting not in engine.metrics()  # though Triton goes on showing it


def test_a_model_with_requests_that_does_nothing_is_replaced(engine, healer):
    """One request hangs in it, another waits for it in Triton's queue; both are told, or answered in the end."""
    answers = []

    def caller(value):
        try:
            answers.append(ask(engine, "fragile", value))
        except InferenceServerException as error:
            answers.append(error.message())

    first, second = (threading.Thread(target=caller, args=[value]) for value in (HANG, 1))
    first.start()
    hangs = engine.options.repository.model("fragile") / "hangs"
    steps_until(healer, hangs.exists)
    second.start()
    steps_until(healer, lambda: healer.heals.total("fragile") and not first.is_alive() and not second.is_alive() and ready(engine))
    (healed,) = heals(healer)  # more than once, where a machine is so slow that a second passes before the new process has begun
    assert healed.startswith('triptych_heals_total{model="fragile",reason="hung"} ')
    assert len(answers) == 2
    assert any("not healthy" in answer for answer in answers)
    assert ask(engine, "fragile", 5) == [[5, 5, 5, 5]]


def test_a_lost_model_is_loaded_again_but_not_one_that_rests(engine, healer):
    engine.wanted.rest("net")
    engine.control.unload("net")
    for _ in range(4):
        healer.step()
    assert (healer.heals.total(), "net" in engine.control.ready()) == (0, False)
    engine.wanted.wake("net")
    steps_until(healer, lambda: healer.heals.total("net") and ready(engine))
    assert heals(healer) == ['triptych_heals_total{model="net",reason="lost"} 1']
    assert ask(engine, "net", 5) == [[10, 10, 10, 10]]


def test_a_triton_of_somebody_elses_is_healed_by_model_control_or_given_up(engine):
    telling = Sidecar(engine.control, engine.metrics_url)
    healing = Sidecar(engine.control, engine.metrics_url, heal=True)
    for sidecar in (telling, healing):
        sidecar.step()
    engine.control.unload("net")
    with pytest.raises(EngineError, match="could not be loaded"):
        engine.control.load("net", ModelConfig(name="net", backend="no_such"))
    with pytest.raises(EngineError, match=r"is to be started anew: net .lost.: it was loaded, and is not any more"):
        steps_until(telling, lambda: False)
    steps_until(healing, lambda: healing.heals.total("net") and ready(engine))
    assert ask(engine, "net", 5) == [[10, 10, 10, 10]]


def test_what_was_unloaded_on_purpose_rests_for_the_sidecar_too(engine):
    """As the engine unloads idle models, and `triptych models use` what it replaces."""
    sidecar = Sidecar(engine.control, engine.metrics_url, heal=True)
    sidecar.step()
    engine.control.unload("net")
    for _ in range(3):
        sidecar.step()
    assert (sidecar.heals.total(), sidecar.heals.ready, "net" in engine.control.ready()) == (0, True, False)
    engine.control.load("net")
    assert sidecar.look() == []


def test_a_server_that_dies_is_started_anew_at_its_addresses(engine, healer):
    addresses, pid = (engine.grpc_url, engine.http_url, engine.metrics_url), engine.pid
    os.kill(pid, signal.SIGKILL)
    steps_until(healer, lambda: healer.heals.total("") and ready(engine))
    assert (engine.grpc_url, engine.http_url, engine.metrics_url) == addresses
    assert engine.pid not in (None, pid)
    assert ask(engine, "net", 5) == [[10, 10, 10, 10]]
    assert heals(healer) == ['triptych_heals_total{model="",reason="server_died"} 1']


def test_what_cannot_be_healed_is_given_up_loudly(engine, healer, monkeypatch, caplog):
    """The real server dies; its successors do not start."""
    monkeypatch.setattr("triptych_server.engine.backoff.Backoff.pause", 0.0)
    monkeypatch.setattr(engine, "_start_triton", lambda triton, deadline: (_ for _ in ()).throw(EngineError("no memory")))
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="given up: Triton was started anew 5 times within 10 minutes, and still: Triton .server_died"):
        steps_until(healer, lambda: False)
    assert caplog.text.count("it did not start: no memory") == healing.RESTARTS
    assert engine.pid is None


PROGRAM = [sys.executable, "-c", "from triptych.cli import main; main()", "serve", "--http-port=0", "--grpc-port=0", "--metrics-port=0"]


@pytest.fixture
def served(tmp_path):
    """`triptych serve`, the HTTP address of its Triton, and the folder of its fragile model."""
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "net", NETWORK, runnable.doubler)
    folder = add_model(repository, "fragile", PYTHON, code=FRAGILE, where="python_models")
    command = [*PROGRAM, "--repository", str(repository.root), "--log-file", str(tmp_path / "triton.log"), "--profile", "cpu"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            grpc, http = [process.stdout.readline().strip() for _ in range(4)][1:3]
            yield process, grpc, http, folder
        finally:
            process.kill()


def test_idle_connections_do_not_keep_models_from_their_end(served):
    process, grpc, http, folder = served
    with ExitStack() as open_connections:
        idle = open_connections.enter_context(socket.create_connection(http.removeprefix("http://").split(":")))
        idle.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" in idle.recv(1000)
        client = open_connections.enter_context(triton_grpc.InferenceServerClient(grpc.removeprefix("grpc://")))
        assert client.is_model_ready("net")
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    assert (folder / "finalized").exists()
    assert not list(Path("/dev/shm").glob(f"triptych_*_{process.pid}_*"))


def test_a_second_signal_ends_it_at_once(served):
    """Though a request hangs, for which the first would wait."""
    process, grpc, _, folder = served
    with triton_grpc.InferenceServerClient(grpc.removeprefix("grpc://")) as client:
        x = triton_grpc.InferInput("x", [1, 4], "UINT8")
        x.set_data_from_numpy(np.full((1, 4), HANG, np.uint8))
        done = threading.Event()
        client.async_infer("fragile", [x], lambda result, error: done.set())
        while not (folder / "hangs").exists():
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "stopping\n"
        time.sleep(0.6)  # closer together they are taken for one
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert done.wait(SECONDS)
    assert not list(Path("/dev/shm").glob(f"triptych_*_{process.pid}_*"))
