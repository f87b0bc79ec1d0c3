"""A process that waits for ever ends when its parent does."""

import subprocess
import sys
import time
from pathlib import Path

STUB = (
    "import threading, triptych_server.serving.end_with_server as module;"
    "module.LOOK_SECONDS = module.GRACE_SECONDS = 0.1; module.end_with_server(); print('waits', flush=True); threading.Event().wait()"
)
SERVER = (
    f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {STUB!r}]); print(child.pid, flush=True); sys.stdin.read()"
)


def runs(process):
    """Whether it is more than an entry that nobody has waited for."""
    try:
        return (process / "cmdline").read_bytes() != b""
    except OSError:
        return False


def test_a_stub_ends_with_its_server():
    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        said = {server.stdout.readline().strip() for _ in range(2)}
        stub = Path("/proc") / (said - {"waits"}).pop()
        time.sleep(0.5)
        assert runs(stub)
        server.kill()
    deadline = time.monotonic() + 30
    while runs(stub) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not runs(stub)
