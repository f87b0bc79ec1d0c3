"""The engine on the real Triton: starts, says which model failed and why, stops, and leaves nothing behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import tritonclient.grpc as triton_grpc

from tests.support import runnable
from tests.support.serving import add_model, empty_repository, options
from triptych_server.configs.overrides import Overrides
from triptych_server.engine import Engine
from triptych_server.engine.shared_memory import NAME
from triptych_server.engine.triton import find_triton
from triptych_server.errors import EngineError
from triptych_server.repository import Repository

CONFIG = """
backend: "{backend}"
default_model_filename: "model.onnx"
max_batch_size: 8
input [ {{ name: "x" data_type: TYPE_UINT8 dims: [ 4 ] }} ]
output [ {{ name: "y" data_type: {dtype} dims: [ {dim} ] }} ]
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
{more}
"""


def parameter(key, value):
    return f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}'


def config(backend="onnxruntime", dtype="TYPE_FP32", dim=4, more=""):
    return CONFIG.format(backend=backend, dtype=dtype, dim=dim, more=more)


NAMESPACE = Path("/proc/self/ns/pid").stat().st_ino


def scratches(owner=None):
    """Temporary folders of the engines of a process: this one's by default."""
    return {str(folder) for folder in Path(tempfile.gettempdir()).glob(f"triptych_{NAMESPACE}_{owner or os.getpid()}_*")}


def regions(owner=None):
    """Shared-memory regions of the engines of a process: this one's by default."""
    return {file.name for file in Path("/dev/shm").glob(f"triptych_{NAMESPACE}_{owner or os.getpid()}_*")}


def stubs(owner=None):
    """Python stubs of the Tritons that a process started: this one's by default."""
    found = set()
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = cmdline.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "triton_python_backend_stub" in text and f"_{owner or os.getpid()}_" in text:
            found.add(cmdline.parent.name)
    return found


@pytest.fixture
def left():
    """What engines of this process have left since the test began; the run's shared engine may be up already."""
    before = regions() | stubs() | scratches()
    return lambda: (regions() | stubs() | scratches()) - before


def test_starts_serves_and_leaves_nothing_behind(tmp_path, left, monkeypatch):
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "doubler", config(), runnable.doubler)
    monkeypatch.chdir(tmp_path)
    with Engine(options(Repository(Path("repository")), tmp_path)) as engine:
        with triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://")) as client:
            assert client.is_server_ready()
            assert client.get_model_metadata("doubler").platform != ""
        with pytest.raises(EngineError, match="running already"):
            engine.start()
        pid = engine.pid
        assert left() & regions()
        assert left() & stubs()
        assert left() & scratches()
    assert engine.pid is None
    assert not Path(f"/proc/{pid}").exists()
    assert not left()
    assert "doubler" in (tmp_path / "triton.log").read_text()
    assert not list(repository.root.rglob("__pycache__"))


BROKEN = {
    "dims": (config(dim=5), r"y has dims \[5\] in the config, but \[4\] in the graph"),
    "dtype": (config(dtype="TYPE_INT32"), "y is TYPE_INT32 in the config, but float32 in the graph"),
    "unknown field": (config(more="max_queue_sise: 3"), "max_queue_sise"),
    "unknown backend": (config(backend="rknnn"), "unable to find backend library for backend 'rknnn'"),
    "unknown parameter": (config(more=parameter("intra_op_threads", 1)), "does not know parameter intra_op_threads"),
    "missing device": (config(backend="openvino", more=parameter("TARGET_DEVICE", "NPU")), "asked for NPU but sees only"),
}


@pytest.mark.parametrize(("broken", "reason"), BROKEN.values(), ids=BROKEN)
def test_says_which_model_failed_and_why(tmp_path, left, broken, reason):
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "good", config(), runnable.doubler)
    add_model(repository, "broken", broken, runnable.doubler)
    with pytest.raises(EngineError, match=rf"(?s)1 of 2 models could not be loaded:\n  broken: .*{reason}") as failure:
        Engine(options(repository, tmp_path)).start()
    assert "Traceback" not in str(failure.value)
    assert not left()


def test_missing_weights_are_said_before_anything_starts(tmp_path):
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "doubler", config())
    with pytest.raises(
        EngineError, match=r"no weights yet: model_repository/doubler/1/model.onnx missing; `triptych models use NAME` pulls"
    ):
        Engine(options(repository, tmp_path)).start()
    assert not (tmp_path / "triton.log").exists()


def test_models_without_weights_are_left_out_and_named_and_the_rest_is_served(tmp_path, caplog):
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "doubler", config(), runnable.doubler)
    add_model(repository, "absent", config())
    step = '{ model_name: "absent" model_version: -1 input_map { key: "x" value: "x" } output_map { key: "y" value: "y" } }'
    tensors = 'input [ { name: "x" data_type: TYPE_UINT8 dims: [ 4 ] } ]\noutput [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]'
    ensemble = f'platform: "ensemble"\nmax_batch_size: 8\n{tensors}\nensemble_scheduling {{ step [ {step} ] }}'
    add_model(repository, "through", ensemble, where="ensembles")
    with Engine(options(repository, tmp_path)) as engine:
        assert engine.models == ["doubler"]
        with triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://")) as client:
            assert client.is_server_ready()
            ready = {name: client.is_model_ready(name) for name in ("doubler", "absent", "through")}
        assert ready == {"doubler": True, "absent": False, "through": False}
    [line] = [record.getMessage() for record in caplog.records if record.name.startswith("triptych_server.engine")]
    assert line.startswith("not served: absent, through (model_repository/absent/1/model.onnx missing; `triptych models use NAME` pulls")


def test_a_taken_port_is_an_error_and_nothing_starts(tmp_path, left):
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "doubler", config(), runnable.doubler)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(EngineError, match=f"port {taken.getsockname()[1]} for http"):
            Engine(options(repository, tmp_path, http_port=taken.getsockname()[1])).start()
    assert not left()


def test_a_triton_that_dies_while_starting_is_reported_with_its_last_words(tmp_path):
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "doubler", config(), runnable.doubler)
    home = tmp_path / "triton"
    for file in ("bin/tritonserver", "backends/python/libtriton_python.so"):
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).touch()
    (home / "backends/python/triton_python_backend_stub").symlink_to(find_triton().stub)
    (home / "bin/tritonserver").write_text("#!/bin/sh\necho cannot open shared object\nexit 127\n")
    (home / "bin/tritonserver").chmod(0o755)
    with pytest.raises(EngineError, match=r"(?s)ended with code 127 while starting.*cannot open shared object"):
        Engine(options(repository, tmp_path, triton=home)).start()


def own_triton(home: Path, script: str) -> Path:
    """The real Triton, whose program is a script that may do something else first."""
    real = find_triton()
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "tritonserver").write_text(f'#!/bin/sh\n{script}\nexec {real.server} "$@"\n')
    (home / "bin" / "tritonserver").chmod(0o755)
    shutil.copytree(real.backends, home / "backends")
    (home / "backends" / "python" / real.stub.name).unlink(missing_ok=True)
    (home / "backends" / "python" / real.stub.name).symlink_to(real.stub)
    (home / "caches").symlink_to(real.caches)
    (home / "lib").symlink_to(real.libraries[0])
    return home


def test_a_triton_that_crashes_while_starting_is_started_again(tmp_path, caplog):
    """As 2.51 sometimes does on a busy machine."""
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "net", config(), runnable.doubler)
    crashes = tmp_path / "crashes"
    home = own_triton(tmp_path / "triton", f"echo x >> {crashes}; [ $(wc -l < {crashes}) -gt 2 ] || kill -ABRT $$")
    with Engine(options(repository, tmp_path, triton=home)) as engine:
        client = triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://"))
        assert client.is_model_ready("net")
    assert crashes.read_text().count("x") == 3
    assert "starting Triton again (3 of 5)" in caplog.text


def test_a_triton_that_always_crashes_is_given_up(tmp_path, left):
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "net", config(), runnable.doubler)
    home = own_triton(tmp_path / "triton", "kill -ABRT $$")
    with pytest.raises(EngineError, match="ended with code -6 while starting"):
        Engine(options(repository, tmp_path, triton=home)).start()
    assert not left()


def test_a_triton_that_hangs_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("triptych_server.engine.stall.STALL_SECONDS", 0.5)
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "net", config(), runnable.doubler)
    home = own_triton(tmp_path / "triton", "exec sleep 100")
    began = time.monotonic()
    with pytest.raises(EngineError, match="Triton hangs: it has done nothing for a while"):
        Engine(options(repository, tmp_path, triton=home)).start()
    assert time.monotonic() - began < 60


SLOW = """
import time
class TritonPythonModel:
    def initialize(self, args):
        time.sleep(2)
    def execute(self, requests):
        return []
"""


def test_a_start_that_takes_long_says_so(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("triptych_server.engine.start_watch.PATIENCE_SECONDS", 0.5)
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "net", config(), runnable.doubler)
    add_model(repository, "slow", config("python").replace('default_model_filename: "model.onnx"', ""), code=SLOW, where="python_models")
    with Engine(options(repository, tmp_path)):
        assert "still starting after 1 s; Triton's last word: " in caplog.text


KILLS_ONCE = """
import os, signal
from pathlib import Path
class TritonPythonModel:
    def initialize(self, args):
        killed = Path({killed!r})
        if not killed.exists():
            killed.touch()
            os.kill(os.getppid(), signal.SIGKILL)
    def execute(self, requests):
        return []
"""
LATER = Overrides(parameters={"python": {"any": "1"}})  # what has another config than its folder's is loaded when Triton is up


def test_a_triton_that_dies_in_a_load_is_started_again(tmp_path, caplog, left):
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "net", config(), runnable.doubler)
    code = KILLS_ONCE.format(killed=str(tmp_path / "killed"))
    add_model(repository, "kills", config("python").replace('default_model_filename: "model.onnx"', ""), code=code, where="python_models")
    with Engine(options(repository, tmp_path, overrides=LATER)) as engine:
        client = triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://"))
        assert client.is_model_ready("kills")
        assert len({NAME.match(name)[0] for name in left() & regions()}) == 1  # the first attempt's are gone
        assert len({Path(f"/proc/{stub}/cwd").readlink() for stub in left() & stubs()}) == 1
    assert "starting Triton again (2 of 5): Triton ended with code -9" in caplog.text
    assert not left()


def test_a_load_that_takes_too_long_ends_with_the_start(tmp_path, left):
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "net", config(), runnable.doubler)
    code = SLOW.replace("time.sleep(2)", "time.sleep(100)")
    add_model(repository, "slow", config("python").replace('default_model_filename: "model.onnx"', ""), code=code, where="python_models")
    began = time.monotonic()
    with pytest.raises(EngineError, match=r"Triton was not ready in time, \d+ s after it was started"):
        Engine(options(repository, tmp_path, overrides=LATER, start_timeout=5, stop_timeout=1)).start()
    assert time.monotonic() - began < 60
    assert not left()


def test_profiles_choose_the_config_by_name(tmp_path):
    repository = empty_repository(tmp_path / "repository")
    folder = add_model(repository, "doubler", config(), runnable.doubler)
    (folder / "configs").mkdir()
    (folder / "configs" / "openvino.pbtxt").write_text('name: "doubler"\n' + config("openvino"))
    with Engine(options(repository, tmp_path, profile="openvino")) as engine:
        client = triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://"))
        assert client.get_model_config("doubler").config.backend == "openvino"
        client.close()


def test_triton_ends_with_an_engine_that_is_killed_and_the_next_one_removes_what_it_left(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"  # the machine's own is cleaned by every engine that starts, so by other tests too
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "doubler", config(), runnable.doubler)
    script = (
        "import sys, os, signal; from pathlib import Path; from tests.support.serving import options;"
        "from triptych_server.engine import Engine; from triptych_server.repository import Repository;"
        f"e = Engine(options(Repository(Path({str(repository.root)!r})), Path({str(tmp_path)!r}))); e.start();"
        "print(e.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "TMPDIR": str(temporary)}
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], env=environment)
    triton = Path("/proc") / child.stdout.readline().decode().strip() / "exe"
    assert child.wait() == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while (stubs(child.pid) or triton.exists()) and time.monotonic() < deadline:  # stubs notice by themselves that their server is gone
        time.sleep(0.1)
    assert not stubs(child.pid)
    assert not triton.exists()
    assert scratches(child.pid)
    stale = Path("/dev/shm") / f"triptych_{NAMESPACE}_{child.pid}_deadbeef_left"
    stale.touch()
    with Engine(options(repository, tmp_path)):
        assert not regions(child.pid)
        assert not scratches(child.pid)
