"""A plan becomes points; input data are in perf_analyzer's form; the default command needs no name."""

import base64
import contextlib
import json
import struct

import pytest
from typer.testing import CliRunner

from tests.support.serving import CHECKOUT
from triptych.cli.app import build
from triptych_server.benchmark import sweep
from triptych_server.benchmark.perf_input import has_fixed_sizes, write_input
from triptych_server.benchmark.perf_report import PerfReport
from triptych_server.benchmark.photos import own_corpus
from triptych_server.benchmark.served import Served, listener
from triptych_server.benchmark.sweep import Plan, Sweep
from triptych_server.benchmark.triton_stats import TritonStats
from triptych_server.configs.read import read_config
from triptych_server.errors import ConfigError, EngineError


def config(model):
    return read_config(CHECKOUT.model(model) / "config.pbtxt")


def test_every_load_of_every_model_is_a_point():
    points, left_out = Plan((1, 4), (5.0,), shared_memory=True).points([config("search_image"), config("clip_visual")])
    assert [point.load for point in points if point.model == "search_image"] == ["1 in flight", "4 in flight", "5/s, Poisson"]
    assert [point.load for point in points if point.model == "clip_visual"][3:] == [
        "1 in flight, shared memory",
        "4 in flight, shared memory",
    ]
    assert left_out == ["search_image through shared memory: its tensors have no fixed size."]
    assert not has_fixed_sizes(config("faces"))


@pytest.mark.parametrize("wrong", [{"concurrency": ()}, {"concurrency": (0,)}, {"rates": (-1.0,)}, {"runs": 0}, {"seconds": 0.0}])
def test_a_plan_of_nothing_is_refused(wrong):
    with pytest.raises(ConfigError):
        Plan(**wrong)


def test_photos_travel_with_their_length_and_texts_never_come_twice(tmp_path):
    photos = json.loads(write_input(config("search_image"), [b"one", b"three"], tmp_path).read_text())["data"]
    assert [base64.b64decode(each["image"]["b64"]) for each in photos] == [struct.pack("<I", 3) + b"one", struct.pack("<I", 5) + b"three"]
    seen = set()
    for _ in range(2):
        texts = json.loads(write_input(config("search_text"), [], tmp_path).read_text())["data"]
        assert set(texts[0]) == {"text"}  # optional inputs stay away
        seen |= {each["text"]["content"][0] for each in texts}
    assert len(seen) == 2 * len(texts)
    assert write_input(config("clip_visual"), [], tmp_path) is None


class Perf:
    """Answers as perf_analyzer does, or sheds, at 8 in flight; stands in for a Triton that is not there."""

    def measure(self, model, url, load):
        if load.concurrency == 8:
            raise EngineError("perf_analyzer ended with 99: Thread [0] had error: in ensemble 'search_image', Exceeds maximum queue size")
        return PerfReport(load.concurrency, 100.0, 0, 0, 0, 0, 0, 1e3, 2e3, 3e3, 4e3, stable=load.concurrency == 1)


def swept(monkeypatch, progress):
    counts = iter(range(0, 1000, 10))

    def read(url, metrics_url):
        count = next(counts)
        return TritonStats({"search_image": (count, 0, 0, 0, count * 1_000_000)}, {"search_image": count})

    monkeypatch.setattr(sweep.TritonStats, "read", read)
    monkeypatch.setattr(sweep.TritonStats, "read_settled", read)
    made = Sweep(Perf(), Served("127.0.0.1:1"), Plan((1, 8), runs=2, seconds=0.1), [b"x"])
    monkeypatch.setattr(Served, "config", lambda self, model: config(model))
    made.prepare(["search_image"])
    with contextlib.suppress(KeyboardInterrupt):
        made.run(progress)
    return made.points


def test_runs_are_kept_and_shed_loads_say_so(monkeypatch):
    one, many = swept(monkeypatch, lambda *_: None)
    assert [run.p95_ms for run in one.runs] == [3.0, 3.0] and one.stable
    assert one.runs[0].models["search_image"].compute_ms == 1.0
    assert (
        not many.runs
        and many.problems == ("shed: 10 requests were turned away because a queue was full; perf_analyzer ends at the first",) * 2
    )


def test_what_was_measured_before_an_interrupt_is_kept(monkeypatch):
    def stop(done, total, point, came):
        if done == 3:
            raise KeyboardInterrupt

    one, many = swept(monkeypatch, stop)
    assert (len(one.runs), len(many.problems)) == (2, 1)


def test_too_few_photos_are_told_instead_of_replaced(tmp_path):
    with pytest.raises(ConfigError, match="holds 0 JPEGs"):
        own_corpus(tmp_path)


def test_a_server_elsewhere_has_no_process_here():
    assert listener("192.0.2.1:8001") is None


def test_nobody_answering_is_one_sentence():
    with pytest.raises(EngineError, match="no Triton answers"):
        Served("127.0.0.1:1").ready(("search_image",))


def test_the_default_command_needs_no_name():
    for command in (
        ["bench", "--concurrency", "x"],
        ["bench", "run", "--concurrency", "x"],
        ["bench", "search_image", "--concurrency", "x"],
    ):
        done = CliRunner().invoke(build(), command)
        assert "'x'; expected whole numbers" in str(done.exception)
    assert "compare" in CliRunner().invoke(build(), ["bench", "--help"]).output
