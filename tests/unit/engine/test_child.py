"""A child ends with its parent process, and not with the thread that started it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from triptych_server.engine.child import start_child


def start(command, folder, **more):
    return start_child(command, environment=dict(os.environ), folder=folder, **more)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_runs_as_a_process_that_popen_starts(tmp_path):
    reading, writing = os.pipe()
    child = start(["/bin/sh", "-c", f"pwd; echo no >&2; echo kept >/proc/self/fd/{writing}; exit 3"], tmp_path, kept=[writing])
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == "kept\n"
    assert child.stdout.read().split() == [str(tmp_path), "no"]
    assert child.wait(10) == 3


def test_what_python_ignores_the_child_does_not(tmp_path):
    child = start(["/bin/sh", "-c", "grep SigIgn /proc/self/status"], tmp_path)
    ignored = int(child.stdout.read().split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1))
    assert child.wait(10) == 0


def test_it_outlives_the_thread_that_started_it(tmp_path):
    children = []
    thread = threading.Thread(target=lambda: children.append(start(["/bin/sleep", "30"], tmp_path)))
    thread.start()
    thread.join()
    time.sleep(0.3)
    [child] = children
    assert child.poll() is None
    assert os.getsid(child.pid) == child.pid
    child.terminate()
    assert child.wait(10) == -signal.SIGTERM


STARTS = """
import os, sys, time
from pathlib import Path
from triptych_server.engine.child import start_child
print(start_child(["/bin/sleep", "60"], environment=dict(os.environ), folder=Path("/")).pid, flush=True)
time.sleep(60)
"""


def test_it_ends_with_a_parent_that_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", STARTS], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    time.sleep(0.3)
    assert is_running(pid)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(pid)
