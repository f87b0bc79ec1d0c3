"""A start that waits is told from one that works, be it with the CPU or with a disk."""

import subprocess
import sys
import time

import pytest

from triptych_server.engine import stall

WORK = {
    "waits": ("import time; time.sleep(60)", True),
    "computes": ("while True: pass", False),
    "reads": ("import time\nfile = open('/dev/zero', 'rb', 0)\nwhile True: file.read(1 << 19); time.sleep(0.05)", False),
}


@pytest.mark.parametrize(("code", "stalled"), WORK.values(), ids=WORK)
def test_a_process_that_waits_is_stalled_and_no_other(monkeypatch, code, stalled):
    monkeypatch.setattr(stall, "STALL_SECONDS", 0.5)
    process = subprocess.Popen([sys.executable, "-c", f"print(flush=True)\n{code}"], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()  # its own start is over
        watch = stall.StallWatch(process.pid)
        assert not watch.stalled()
        time.sleep(0.55)
        assert watch.stalled() is stalled
    finally:
        process.kill()
        process.communicate()


def test_a_process_that_has_ended_does_nothing(monkeypatch):
    monkeypatch.setattr(stall, "STALL_SECONDS", 0.0)
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    assert stall.StallWatch(process.pid).stalled()
