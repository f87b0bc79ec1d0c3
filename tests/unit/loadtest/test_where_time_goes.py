"""The arithmetic behind "where the time goes": CPU by process, Triton's counters, and the bounds of the machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from loadtest.clients import Load
from loadtest.loads import LoadRun
from loadtest.preprocess_cost import mean_difference
from loadtest.rows import breakdown
from loadtest.services import precision_of
from triptych_server.benchmark.cpu import CpuClock, CpuUse, others_share_of, stub_model
from triptych_server.benchmark.limits import Limits
from triptych_server.benchmark.machine import has_amx
from triptych_server.benchmark.queue_stats import QueueCounts, parse_counts
from triptych_server.benchmark.triton_stats import ModelUse, TritonStats

RECORDED = Path(__file__).parent / "recorded"


def test_cpu_is_counted_between_two_readings():
    before = CpuClock({"server": 1.0, "stub": 2.0}, moment=10.0, idle=100.0)
    use = before.until(CpuClock({"server": 1.5, "stub": 5.0, "new": 0.5}, moment=12.0, idle=100.25))
    assert use == CpuUse({"server": 0.5, "stub": 3.0, "new": 0.5}, wall=2.0, idle=0.25)


def test_the_time_of_all_cores_is_ours_idle_or_of_others():
    use = CpuUse({"a": 1.0, "b": 1.5}, wall=2.0, idle=0.5)
    assert (use.idle_share(cores=2), use.others_share(cores=2)) == pytest.approx((0.125, 0.25))


def test_shares_stay_shares_when_clocks_are_not_exact():
    use = CpuUse({"a": 4.1}, wall=2.0, idle=4.2)
    assert (use.idle_share(cores=2), use.others_share(cores=2)) == (1.0, 0.0)


def test_cpu_per_request_is_spread_over_those_answered_meanwhile():
    use = CpuUse({"a": 1.0, "b": 0.5}, wall=2.0, idle=0.0)
    assert use.per_request_ms(requests_per_second=50) == pytest.approx({"a": 10.0, "b": 5.0})


def test_a_reading_covers_the_processes_it_was_given():
    before = CpuClock.read({"me": os.getpid()})
    sum(i * i for i in range(300_000))
    assert before.until(CpuClock.read({"me": os.getpid()})).seconds["me"] > 0


@pytest.mark.parametrize(
    ("command", "model"),
    [
        (["/x/python/triton_python_backend_stub", "/r/python_models/clip_preprocess/1/model.py", "region"], "clip_preprocess"),
        (["/x/python/triton_python_backend_stub", "/r/model_repository/clip_visual/1/model.onnx", "region"], "clip_visual"),
        (["/usr/bin/python3", "/r/clip_visual/1/model.py"], None),
        ([], None),
    ],
)
def test_a_stub_counts_as_the_model_it_serves(command, model):
    assert stub_model(command) == model


def test_triton_counters_are_read_with_their_left_out_zeros():
    stats = TritonStats.parse(json.loads((RECORDED / "triton_statistics.json").read_text()), {})
    assert stats.counters["clip_textual"] == (0, 0, 0, 0, 0)
    assert stats.counters["clip_preprocess"] == (3, 3, 3, 319215, 255380 + 115044692 + 26370)


def test_means_are_of_what_happened_between_two_readings():
    before = TritonStats({"visual": (10, 10, 10, 5_000_000, 5_000_000), "idle": (3, 3, 3, 1, 1)})
    after = TritonStats({"visual": (42, 42, 14, 69_000_000, 37_000_000), "idle": (3, 3, 3, 1, 1), "ensemble": (4, 4, 0, 0, 8_000_000)})
    uses = before.until(after)
    assert uses.keys() == {"visual", "ensemble"}
    assert (uses["visual"].requests, uses["visual"].mean_batch, uses["visual"].queue_ms, uses["visual"].compute_ms) == (32, 8.0, 2.0, 1.0)
    assert (uses["ensemble"].mean_batch, uses["ensemble"].compute_ms) == (0.0, 2.0)


METRICS = """# TYPE triptych_runs_total counter
triptych_runs_total{instance="visual_0_0",model="visual"} 3
triptych_runs_total{instance="visual_0_1",model="visual"} 1
triptych_rows_total{instance="visual_0_0",model="visual"} 32
triptych_requests_total{instance="visual_0_0",model="visual"} 16
triptych_queue_seconds_total{instance="visual_0_0",model="visual"} 0.4
triptych_compute_seconds_total{instance="visual_0_0",model="visual"} 0.8
triptych_refused_total{instance="visual_0_0",model="visual"} 2
triptych_device_info{actual="CPU",instance="visual_0_0",model="visual",profile=""} 1
"""


def test_our_own_queues_count_instead_of_triton():
    """To Triton, a request of theirs ends when it is taken over: 1 ms in batches of whatever came at once."""
    queues = parse_counts(METRICS)
    first, second = queues["visual"].values()
    assert (first, second) == (QueueCounts(3, 16, 32, 0.4, 0.8), QueueCounts(runs=1))
    triton = {"visual": (16, 32, 16, 1_000_000, 1_000_000), "native": (16, 32, 16, 1_000_000, 1_000_000)}
    uses = TritonStats({}).until(TritonStats(triton, queues=queues))
    assert uses["visual"] == ModelUse(16, 8.0, pytest.approx(25.0 + 1 / 16), pytest.approx(50.0), 32)  # both queues
    assert uses["native"].mean_batch == 2.0
    assert TritonStats({}).until(TritonStats(triton, queues=None))["native"].mean_batch == 0.0  # whose they are is not known
    before = {"visual": {"of a process that has gone": QueueCounts(2, 2, 2, 2, 2)}}
    assert TritonStats({}, queues=before).until(TritonStats(triton, queues=queues)) == uses  # it was loaded anew


def test_the_bounds_are_decoding_and_inference_and_nothing_else():
    limits = Limits.of(cores=2, decode_ms=5.0, images_per_second=40.0, lone_ms=26.0)
    assert limits.throughput == pytest.approx(2000 / (5 + 50))
    assert limits.latency_ms == 31.0


def test_the_breakdown_is_of_the_median_run():
    runs = [LoadRun(Load(1.0, rate, (10.0, 20.0)), CpuUse({"stub": 1.0}, wall=1.0, idle=0.0)) for rate in (50.0, 10.0, 20.0)]
    assert breakdown(runs)["cpu_ms"] == pytest.approx({"stub": 50.0})


def test_the_precision_is_read_from_the_metrics_of_the_right_model():
    lines = [
        'triptych_device_info{actual="CPU",instance="clip_textual_0_0",model="clip_textual",precision="f32",requested="CPU"} 1',
        'triptych_device_info{actual="CPU",instance="clip_visual_0_0",model="clip_visual",precision="bf16",requested="CPU"} 1',
    ]
    assert precision_of("clip_visual", "\n".join(["# HELP triptych_device_info x", *lines])) == "bf16"
    with pytest.raises(ValueError, match="no triptych_device_info for clip_visual"):
        precision_of("clip_visual", lines[0])


def test_only_amx_with_bf16_counts_as_amx():
    assert has_amx(["avx512_bf16", "amx_bf16", "amx_tile"])
    assert not has_amx(["avx512_bf16", "avx512_vnni"])


def test_differences_are_not_lost_in_unsigned_arithmetic():
    black, white = (lambda _, value=value: np.full((2, 2, 3), value, np.uint8) for value in (0, 255))
    assert mean_difference(black, white, [b""]) == mean_difference(white, black, [b""]) == 255.0


def test_what_others_took_is_told_with_what_was_done():
    """A process that ends meanwhile takes its past along, which must not count as if others had worked."""
    busy = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\ninput()"]
    with subprocess.Popen(busy, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        done, share = others_share_of(os.getpid(), lambda: child.communicate(b"\n") and "done")
    assert done == "done"
    assert 0 <= share <= 1
