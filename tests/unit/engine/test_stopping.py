"""Stopping an engine whose Triton answers nothing; a process that sleeps stands in for a Triton that hangs."""

import subprocess
import sys

from tests.support.serving import empty_repository, options
from triptych_server.engine import Engine
from triptych_server.engine.launch import Launched
from triptych_server.engine.log import TritonLog
from triptych_server.engine.ports import Ports
from triptych_server.engine.stubs import Stubs


def test_a_triton_that_answers_nothing_is_ended_all_the_same(tmp_path):
    engine = Engine(options(empty_repository(tmp_path / "repository"), tmp_path))
    removed = tmp_path / "what it leaves"
    removed.touch()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"]) as process:
        log = TritonLog(tmp_path / "triton.log", 1 << 20)
        engine._launched, engine._serving = (
            Launched(process, Ports(grpc=1, http=1, metrics=1), log, tmp_path, tmp_path, Stubs(process.pid)),
            True,
        )
        engine._launched.leftovers.callback(removed.unlink)
        engine.stop()
        assert process.returncode < 0
    assert not removed.exists()
