"""Stopping an engine whose Triton answers nothing; a process that sleeps stands in for a Triton that hangs."""

import subprocess
import sys

from tests.support.serving import empty_repository, options
from triptych_server.engine import Engine
from triptych_server.engine.ports import Ports


def test_a_triton_that_answers_nothing_is_ended_all_the_same(tmp_path):
    engine = Engine(options(empty_repository(tmp_path / "repository"), tmp_path))
    removed = tmp_path / "what it leaves"
    removed.touch()
    engine._launched.callback(removed.unlink)
    engine._ports, engine._serving = Ports(grpc=1, http=1, metrics=1), True
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"]) as engine._process:
        engine.stop()
        assert engine._process.returncode < 0
    assert not removed.exists()
