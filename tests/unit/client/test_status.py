"""Four sources of a server joined into one row per model; index, configs and statistics are recorded from Triton 2.51."""

import pytest

from tests.support.half_answer import half_an_answer
from triptych.metrics import Metrics, MetricsUnreachable, fetch
from triptych.prometheus import parse
from triptych.status import NOT_LOADED, ModelStatus, ServerStatus, server_status

METRICS = Metrics.of(
    parse("""
triptych_device_info{actual="CPU",instance="clip_visual_0_0",model="clip_visual",precision="bf16",profile="openvino",requested="GPU"} 0
triptych_device_info{actual="CPU",instance="clip_visual_0_1",model="clip_visual",precision="bf16",profile="openvino",requested="GPU"} 0
nv_inference_request_summary_us_count{model="clip_visual",version="1"} 70
nv_inference_request_summary_us{model="clip_visual",version="1",quantile="0.5"} 17042
nv_inference_request_summary_us{model="clip_visual",version="1",quantile="0.9"} 33032
nv_inference_request_summary_us{model="search_image",version="1",quantile="0.5"} Nan
""")
)
INDEX = [
    {"name": "search_image", "version": "1", "state": "READY"},
    {"name": "clip_visual", "version": "1", "state": "READY"},
    {
        "name": "clip_textual",
        "version": "1",
        "state": "UNAVAILABLE",
        "reason": "Internal: RuntimeError: no weights\n\nAt:\n  /r/model.py(6): f\n",
    },
    {"name": "typo"},
]
CONFIGS = {
    "clip_visual": {"platform": "", "backend": "openvino", "instance_group": [{"name": "x", "kind": "KIND_CPU", "count": 2, "gpus": []}]},
    "search_image": {"platform": "ensemble", "ensemble_scheduling": {"step": []}, "instance_group": []},
}


@pytest.mark.parametrize("number", [int, str], ids=["http", "grpc"])
def test_every_model_has_its_row(number):
    statistics = [
        {"name": "clip_visual", "version": "1", "inference_count": number(96), "execution_count": number(10)},
        {"name": "clip_visual", "version": "2", "inference_count": number(4), "execution_count": number(10)},
        {"name": "search_image", "version": "1", "inference_count": number(96), "execution_count": number(96)},
    ]
    status = server_status(INDEX, CONFIGS, statistics, METRICS)
    assert status.note is None
    assert list(status) == [
        ModelStatus("clip_textual", "UNAVAILABLE", "RuntimeError: no weights"),
        ModelStatus(
            "clip_visual",
            "READY",
            profile="openvino",
            device_requested="GPU",
            device_actual="CPU",
            precision="bf16",
            instances=2,
            mean_batch=5.0,
            p50_ms=17.042,
            count=100,
            fallback=True,
        ),
        ModelStatus("search_image", "READY", count=96),  # an ensemble has no device, no instances, no batches, and was not used yet
        ModelStatus("typo", "NOT LOADED", "it was not loaded; if it should have been, the server's log says why"),
    ]


def test_a_fallback_is_seen():
    rows = {model.name: model for model in server_status(INDEX, CONFIGS, [], METRICS)}
    assert rows["clip_visual"].fallback
    assert not rows["search_image"].fallback


def test_an_unused_model_has_no_mean_batch():
    statistics = [{"name": "clip_visual", "version": "1"}]  # gRPC leaves zeros out
    rows = {model.name: model for model in server_status(INDEX, CONFIGS, statistics, Metrics())}
    assert (rows["clip_visual"].count, rows["clip_visual"].mean_batch) == (0, None)


def test_batches_are_ours_where_we_make_them():
    statistics = [{"name": name, "inference_count": 96, "execution_count": 96} for name in ("clip_visual", "native")]
    index = [{"name": row["name"], "state": "READY"} for row in statistics]
    page = 'triptych_runs_total{model="clip_visual",instance="%d"} 6\ntriptych_rows_total{model="clip_visual",instance="%d"} 48\n'
    metrics = Metrics.of(parse("".join(page % (number, number) for number in range(2))))
    ours, native = server_status(index, {}, statistics, metrics)
    assert (ours.mean_batch, ours.count, native.mean_batch) == (8.0, 96, 1.0)
    blind = server_status(index, {}, statistics, MetricsUnreachable("no metrics"))
    assert [model.mean_batch for model in blind] == [None, None]  # whose they are is not known


def test_the_profile_may_stand_in_the_config():
    configs = {"clip_visual": {"parameters": {"profile": {"string_value": "cuda"}}}}
    rows = {model.name: model for model in server_status(INDEX, configs, [], Metrics())}
    assert rows["clip_visual"].profile == "cuda"


def test_instances_are_counted_per_gpu():
    configs = {"clip_visual": {"instance_group": [{"count": 2, "gpus": [0, 1]}, {"count": 1}]}}
    rows = {model.name: model for model in server_status(INDEX, configs, [], Metrics())}
    assert rows["clip_visual"].instances == 5


def test_a_ready_version_speaks_for_the_model():
    index = [{"name": "m", "version": "1", "state": "UNAVAILABLE", "reason": "unloaded"}, {"name": "m", "version": "2", "state": "READY"}]
    for order in (index, index[::-1]):
        (model,) = server_status(order, {}, [], Metrics())
        assert (model.state, model.reason) == ("READY", None)


def test_notes_are_joined():
    assert server_status([], {}, [], Metrics(), "one", "two").note == "one; two"


def test_metrics_that_cannot_be_had_say_why(free_port):
    with pytest.raises(MetricsUnreachable, match=rf"no metrics at http://127.0.0.1:{free_port}/metrics: Connection refused"):
        fetch(f"http://127.0.0.1:{free_port}", 5)
    for url in ("127.0.0.1:8002", "file:///etc/passwd", "ftp://host/metrics"):
        with pytest.raises(MetricsUnreachable, match="is no metrics address"):
            fetch(url, 5)


def problems(*models, **more):
    return ServerStatus(models, **more).problems


def test_a_problem_is_a_model_that_was_asked_for_and_is_not_ready():
    left_out = ModelStatus("faces", NOT_LOADED, "it was not loaded")
    assert problems(ModelStatus("clip_visual", "READY"), left_out) == ()
    failed = ModelStatus("clip_textual", "UNAVAILABLE", "no weights")
    assert problems(ModelStatus("clip_visual", "READY"), failed) == ("clip_textual is UNAVAILABLE (no weights)",)
    assert problems(left_out) == ("no model is ready",)


def test_a_problem_is_a_model_that_runs_elsewhere():
    (said,) = server_status(INDEX[:2], CONFIGS, [], METRICS).problems
    assert said == "clip_visual was to run on GPU, and runs on CPU in bf16"


def test_a_problem_is_what_the_server_does_not_tell():
    fine = ModelStatus("clip_visual", "READY")
    assert problems(fine, ready=False) == ("the server says that it is not ready; its log says why",)
    status = server_status(INDEX[:2], CONFIGS, [], MetricsUnreachable("no metrics at http://x/metrics: HTTP 404"))
    assert status.problems == ("it is not known what the models run on (no metrics at http://x/metrics: HTTP 404)",)
    assert status.note == "no metrics at http://x/metrics: HTTP 404"


def test_a_page_that_breaks_off_is_no_page():
    """Triton was killed amid its answer."""
    with half_an_answer() as url, pytest.raises(MetricsUnreachable, match="broke off"):
        fetch(url, 30)
