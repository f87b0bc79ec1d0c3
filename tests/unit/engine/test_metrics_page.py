"""What dead processes leave on Triton's metrics page is not shown, where it would mislead."""

import os
import subprocess
import sys

from triptych_server.engine.metrics_page import without_dead_gauges
from triptych_server.engine.stubs import is_living

PAGE = """\
# HELP triptych_waiting Requests that wait
# TYPE triptych_waiting gauge
triptych_waiting{instance="net_0_0",model="net",pid="7"} 5
triptych_waiting{instance="net_0_0",model="net",pid="8"} 1
# TYPE triptych_runs_total counter
triptych_runs_total{pid="7",model="net"} 3
# TYPE nv_pinned_memory_pool_total_bytes gauge
nv_pinned_memory_pool_total_bytes 268435456
nv_inference_pending_request_count{model="pid",version="1"} 2
"""


def test_gauges_of_dead_processes_go_and_everything_else_stays():
    dead = 'triptych_waiting{instance="net_0_0",model="net",pid="7"} 5\n'
    assert without_dead_gauges(PAGE, {8}.__contains__) == PAGE.replace(dead, "")
    assert without_dead_gauges(PAGE, {7, 8}.__contains__) == PAGE


def test_a_process_lives_until_it_is_a_zombie_and_only_below_its_triton():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert is_living(child.pid, os.getpid())
        assert not is_living(child.pid, os.getppid())
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_living(child.pid, os.getpid())
    assert not is_living(child.pid, os.getpid())
