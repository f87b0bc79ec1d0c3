"""The watch's parts that need no Triton: how processes end, who makes progress, pauses, and the page of what was healed."""

import contextlib
import os
import subprocess
import sys
import threading
import types
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.support.half_answer import half_an_answer
from triptych_server.engine import http_api
from triptych_server.engine import stubs as stubs_module
from triptych_server.engine.backoff import Backoff
from triptych_server.engine.healing import OWED_RESTARTS, RESTARTS, Healing
from triptych_server.engine.heals import Heals, shown
from triptych_server.engine.progress import Load, Progress, loads
from triptych_server.engine.stubs import PROGRAM, Seen, Stub, Stubs, ending
from triptych_server.engine.trouble import Reason, Trouble
from triptych_server.engine.unready import Unready
from triptych_server.engine.watch import Patience, Watch
from triptych_server.errors import ConfigError, EngineError


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def zombie(code):
    """A child that has ended, and that nobody has waited for."""
    child = subprocess.Popen([sys.executable, "-c", code])
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    return child


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os; os._exit(3)", "exited with code 3"),
        ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL"),
        ("import os; os.kill(os.getpid(), 40)", "ended by signal 40"),
    ],
)
def test_the_kernel_tells_how_a_process_ended(code, told):
    child = zombie(code)
    assert ending(child.pid) == told
    child.wait()
    assert ending(child.pid) == "ended"


def test_stubs_are_known_by_their_command_lines_until_they_are_gone(tmp_path):
    """A script in the stub's place, below a process in Triton's."""
    file = tmp_path / "net" / "1" / "model.py"
    file.parent.mkdir(parents=True)
    file.write_text("read line\nexit 4\n")

    def start(program):
        return subprocess.Popen([tmp_path / program, file, "shm", "net_0_0", "python"], executable="/bin/sh", stdin=subprocess.PIPE)

    with start("something_else") as other, start(PROGRAM) as child:
        stubs, stub = Stubs(os.getpid()), Stub(child.pid, "net", "net_0_0")
        assert stubs.look() == Seen({}, (), (stub,))
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert stubs.look() == Seen({stub: "exited with code 4"}, (), ())
        other.stdin.close()
    assert stubs.look() == Seen({}, (), ())
    assert Stubs(1 << 30).look() == Seen({}, (), ())  # a Triton that has ended


def test_one_thread_looks_at_stubs_at_a_time(monkeypatch):
    """While one loads a model anew, and looks for processes to kill, another goes on looking."""
    both, met = threading.Barrier(2), []

    class Triton:
        def __init__(self, pid):
            pass

        def children(self):
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(0.2)
                met.append(True)
            return []

    stubs = Stubs(1 << 30)
    monkeypatch.setattr(stubs_module.psutil, "Process", Triton)
    threads = [threading.Thread(target=stubs.look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert met == []


PAGE = """
# HELP triptych_waiting x
triptych_waiting{instance="a_0_0",model="a",pid="5"} 3
triptych_running{instance="a_0_0",model="a",pid="5"} 1
triptych_running{instance="a_0_0",model="a",pid="4"} 1
triptych_taken_total{instance="a_0_0",model="a",pid="4"} 10
triptych_taken_total{instance="a_0_0",model="a",pid="5"} 7
triptych_refused_total{instance="a_0_0",model="a",pid="5"} 3
nv_inference_request_success{model="a",version="1"} 99
nv_inference_pending_request_count{model="b",version="1"} 2
nv_inference_request_success{model="b",version="1"} 9
nv_inference_request_failure{model="b",reason="OTHER",version="1"} 1
nv_inference_compute_infer_duration_us{model="b",version="1"} 55
"""


def test_a_metrics_page_tells_demand_and_progress_and_forgets_the_dead():
    """Refusals, and what Triton has handed over to `a`, go on while `a` hangs: they are no progress."""
    assert loads(PAGE, {5}) == {"a": Load(4, 17), "b": Load(2, 10)}
    assert loads(PAGE, set())["a"] == Load(0, 17)


def test_a_model_stands_still_while_it_has_requests_and_nothing_is_done():
    clock = Clock()
    progress = Progress(clock)
    assert progress.standing({"busy": Load(1, 5), "idle": Load(0, 5)}) == {"busy": 0}
    clock.now += 7
    assert progress.standing({"busy": Load(3, 5), "idle": Load(0, 5)}) == {"busy": 7}
    assert progress.standing({"busy": Load(3, 6), "idle": Load(1, 5)}) == {"busy": 0, "idle": 0}  # one was answered, one came
    clock.now += 2
    assert progress.standing({"busy": Load(0, 6), "idle": Load(1, 5)}) == {"idle": 2}
    progress.forget("idle")
    assert progress.standing({"idle": Load(1, 5)}) == {"idle": 0}


def test_pauses_grow_and_attempts_have_a_limit_that_time_lifts():
    clock = Clock()
    backoff = Backoff(3, window=60, clock=clock)
    pauses = []
    while not backoff.exhausted:
        pauses.append(backoff.pause)
        clock.now += backoff.pause
        backoff.attempt()
    assert pauses == [0, 1, 2]
    clock.now += 58
    assert backoff.attempts == 2  # the first is forgotten
    clock.now += 3
    assert (backoff.attempts, backoff.exhausted, backoff.pause) == (0, False, 0)


def test_patience_that_makes_no_sense_is_an_error():
    for wrong in ({"asleep": 0}, {"asleep": 20, "busy": 10}, {"silent": -1}):
        with pytest.raises(EngineError, match="patience is"):
            Patience(**wrong)


class Control:
    """Of a Triton that is not there: the states that it tells."""

    url, headers, states_told = "http://127.0.0.1:1", {}, {"net": "LOADING"}

    def states(self):
        if self.states_told is None:
            raise EngineError("it did not answer")
        return self.states_told


def test_a_server_that_loads_a_model_for_long_is_not_taken_for_silent():
    """While a model is loaded anew nothing but `server` is asked for."""
    control, log = Control(), types.SimpleNamespace(crashed="")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True) as process:
        watch = Watch(process, Stubs(process.pid), log, control, "", None, Patience(silent=1e-9))
        assert watch.server() is None
        control.states_told = None
        assert watch.server().reason is Reason.SERVER_HUNG
        process.communicate("\n")


def test_an_answer_that_breaks_off_is_an_os_error():
    """A Triton that is killed amid its metrics page."""
    with half_an_answer() as url, pytest.raises(ConnectionError, match="broke off"):
        http_api.text(url, {}, 30)


def test_a_full_disk_keeps_nobody_from_mending(tmp_path):
    (tmp_path / "staging").write_text("no folder, so that nothing can be written into it")
    Unready(Control(), tmp_path / "staging").raise_("clip_visual died")


def healing(owed, load=None):
    """Over an engine that is not there, and whose models owe answers whenever they die, or never."""
    watch = types.SimpleNamespace(server=lambda: None, know_stubs=lambda: None, mended=lambda model: None)
    engine = types.SimpleNamespace(
        new_watch=lambda patience: watch, control=None, staging=Path(), left_unanswered=lambda model: owed, load=load
    )
    return Healing(engine)


def test_a_config_that_cannot_be_read_is_a_failed_attempt_and_not_the_end_of_healing():
    def load(model, seconds):
        raise ConfigError("net/config.pbtxt, line 3: expected a number")

    healer = healing(owed=False, load=load)
    assert healer._mend(Trouble(Reason.LOST, "net", "it is not loaded")) is None
    assert 'triptych_failed_heals_total{model="net",reason="lost"} 1\n' in healer.heals.page()


def test_requests_that_die_with_a_process_do_not_have_the_server_given_up():
    assert [healing(owed=False)._restart_is_owed("net")] == [False]
    again_and_again = healing(owed=True)
    assert [again_and_again._restart_is_owed("net") for _ in range(5)] == [True, True, False, False, False]
    assert OWED_RESTARTS < RESTARTS


def test_what_was_healed_is_shown_and_counted():
    heals = Heals()
    died = Trouble(Reason.STUB_DIED, "clip_visual", "clip_visual_0_0 ended by SIGKILL")
    heals.count(died, mended=True)
    heals.count(Trouble(Reason.SERVER_DIED, "", "it ended"), mended=False)
    assert (heals.total(), heals.total("clip_visual"), heals.total("")) == (1, 1, 0)
    assert str(died) == "clip_visual (stub_died): clip_visual_0_0 ended by SIGKILL"
    with shown(heals, "127.0.0.1", 0) as port:
        page = read(f"http://127.0.0.1:{port}/metrics")[1]
        assert 'triptych_heals_total{model="clip_visual",reason="stub_died"} 1\n' in page
        assert 'triptych_failed_heals_total{model="",reason="server_died"} 1\n' in page
        assert read(f"http://127.0.0.1:{port}/health/ready") == (200, "ready\n")
        heals.ready = False
        assert read(f"http://127.0.0.1:{port}/health/ready") == (503, "not ready\n")
        assert read(f"http://127.0.0.1:{port}/elsewhere")[0] == 404
        assert "triptych_ready 0\n" in read(f"http://127.0.0.1:{port}/metrics")[1]


def test_the_page_shows_tritons_metrics_too_while_there_are_any():
    def more():
        if not pages:
            raise ConnectionRefusedError
        return pages.pop()

    pages = ["nv_inference_count 5\n"]
    with shown(Heals(), "127.0.0.1", 0, more) as port:
        seen = [read(f"http://127.0.0.1:{port}/metrics") for _ in range(2)]
    assert [status for status, _ in seen] == [200, 200]
    assert ["nv_inference_count 5\n" in text for _, text in seen] == [True, False]
    assert all("triptych_ready 1\n" in text for _, text in seen)


def read(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
