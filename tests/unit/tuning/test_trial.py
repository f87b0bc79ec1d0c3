"""A point's score, the last comparison and what the load reaches, with measurements that are made up in place of a Triton's."""

import pytest

from triptych_server.benchmark.queue_stats import QueueCounts
from triptych_server.benchmark.triton_stats import TritonStats
from triptych_server.configs.read import parse_config
from triptych_server.tuning import reached as reached_module
from triptych_server.tuning import trial
from triptych_server.tuning.load import Load, Measurement
from triptych_server.tuning.reached import least_batch, reached
from triptych_server.tuning.trial import Bench, Score, median_of

TEXTS = [["one"], ["two"], ["three"]]


@pytest.fixture
def bench(monkeypatch):
    shares = iter([0.02, 0.3, *[0.01] * 100])
    monkeypatch.setattr(trial, "memory_mib", lambda pid: 100.0)
    monkeypatch.setattr(trial, "others_share_of", lambda pid, work: (work(), next(shares)))
    return Bench(None, "127.0.0.1:1", 1, "search_text", {}, {}, TEXTS, Load(2, 1.0), runs=3)


def test_every_run_goes_on_with_the_texts_where_the_last_ended(bench, monkeypatch):
    """From the first text on again, Triton's cache would answer."""
    firsts = []

    def measured(url, model, requests, load, first):
        firsts.append(first)
        return Measurement(10.0 * len(firsts), 1.0, 2.0, 3.0, sent=500)

    monkeypatch.setattr(trial, "measure", measured)
    assert bench.score({}).throughput == 20.0
    assert len(bench.compare({})) == 3  # as many turns as runs, two sides of three runs each
    assert firsts == [500 * number for number in range(3 + 18)]
    assert bench.others_share == 0.3  # the worst


def test_the_middle_of_scores_is_of_each_figure():
    assert median_of([Score(1, 9, 5, 0.0, 7), Score(2, 8, 4, 0.1, 7), Score(3, 7, 6, 0.2, 1)]) == Score(2, 8, 5, 0.1, 7)


def test_models_without_a_request_are_not_reached_and_ours_are_told_from_tritons(monkeypatch):
    def stats(count):
        counters = {"faces": (count, count, 0, 0, 0), "face_detection": (count, count, count, 0, 0), "face_embed": (count, 1, 1, 0, 0)}
        queues = {"face_embed": {"pid=1": QueueCounts(count, count, count, 0, 0)}, "face_recognition": {"pid=2": QueueCounts()}}
        return TritonStats({**counters, "face_recognition": (0, 0, 0, 0, 0)}, queues=queues)

    readings = iter([stats(1), stats(5)])
    monkeypatch.setattr(TritonStats, "read_settled", lambda url, metrics_url: next(readings))
    monkeypatch.setattr(reached_module, "measure", lambda *given: None)
    assert reached("127.0.0.1:1", "http://127.0.0.1:2", "faces", TEXTS) == {"faces": False, "face_detection": False, "face_embed": True}


def test_a_batch_is_never_smaller_than_what_callers_send():
    ensemble = parse_config(
        'name: "all" platform: "ensemble" max_batch_size: 4 ensemble_scheduling { step { model_name: "net" model_version: -1 } }', "test"
    )
    chunk = 'parameters { key: "recognition_batch" value { string_value: "32" } }'
    caller = parse_config(
        f'name: "embed" backend: "python" parameters {{ key: "recognition_model" value {{ string_value: "faces" }} }} {chunk}', "test"
    )
    configs = {"all": ensemble, "embed": caller}
    assert [least_batch(configs, name) for name in ("net", "faces", "embed")] == [4, 32, 1]
