"""The knobs of each backend, and configs at points."""

import pytest

from triptych_server.configs.derive import SHAPES, derive
from triptych_server.configs.read import parameters_of, parse_config
from triptych_server.tuning.knobs import knobs_for, turned

COMMON = """name: "net" max_batch_size: 16 instance_group [ { kind: KIND_CPU count: 1 } ] dynamic_batching { }
input [ { name: "image" data_type: TYPE_UINT8 dims: [ 8, 8, 3 ] } ]"""


def config(backend, more=""):
    return parse_config(f'{COMMON} backend: "{backend}" {more}', "test")


def accelerated(name):
    more = f'optimization {{ execution_accelerators {{ gpu_execution_accelerator {{ name: "{name}" }} }} }}'
    return derive(config("onnxruntime", more))


def names(config, **options):
    return [knob.name for knob in knobs_for(config, 4, **options)]


def test_each_backend_has_its_own():
    common = ["max_batch_size", "queue_delay_us", "preferred_batch", "instances"]
    assert names(config("python")) == ["instances"]
    assert names(config("python", 'parameters { key: "threads" value { string_value: "0" } }')) == ["instances", "threads"]
    gathers = 'parameters { key: "recognition_model" value { string_value: "face_recognition" } }'
    assert names(config("python", gathers)) == ["max_batch_size", "instances"]
    assert names(config("openvino")) == [*common, "hint", "threads"]
    assert names(config("openvino"), precisions=("f32", "bf16")) == [*common, "hint", "threads", "precision"]
    assert names(config("onnxruntime")) == [*common, "threads"]
    assert names(accelerated("migraphx")) == names(accelerated("cuda")) == common
    assert names(accelerated("tensorrt"), precisions=("f16", "int8")) == [*common, "engine", "precision"]
    assert names(accelerated("tensorrt"), native=True) == common  # static batches are our backend's


def test_a_batch_is_never_smaller_than_what_an_ensemble_sends():
    (batches,) = [knob.values for knob in knobs_for(config("openvino"), 4, least_batch=16) if knob.name == "max_batch_size"]
    assert batches == [16, 32, 64]


def test_a_point_turns_its_knobs_and_leaves_the_rest():
    hint = 'parameters { key: "PERFORMANCE_HINT" value { string_value: "LATENCY" } }'
    before = config("openvino", hint)
    knobs = knobs_for(before, 4)
    after = turned(before, knobs, {"hint": "streams=2", "threads": 4, "instances": 2, "queue_delay_us": 500})
    assert parameters_of(after) == {"NUM_STREAMS": "2", "INFERENCE_NUM_THREADS": "4"}
    assert (after.instance_group[0].count, after.dynamic_batching.max_queue_delay_microseconds) == (2, 500)
    assert parameters_of(before) == {"PERFORMANCE_HINT": "LATENCY"}
    assert parameters_of(turned(after, knobs, {"hint": "THROUGHPUT", "threads": 0})) == {"PERFORMANCE_HINT": "THROUGHPUT"}
    assert turned(before, knobs, {}) == before


def test_no_preferred_batch_is_larger_than_the_largest():
    before = parse_config(f'{COMMON.replace("{ }", "{ preferred_batch_size: [ 16 ] }")} backend: "openvino"', "test")
    after = turned(before, knobs_for(before, 2), {"max_batch_size": 4})
    assert (after.max_batch_size, list(after.dynamic_batching.preferred_batch_size)) == (4, [])


def test_a_preferred_batch_fits_into_the_largest():
    before = config("openvino")
    knobs = knobs_for(before, 2)
    assert list(turned(before, knobs, {"preferred_batch": 8}).dynamic_batching.preferred_batch_size) == [8]
    for point in ({"max_batch_size": 4, "preferred_batch": 8}, {"preferred_batch": 0}):
        assert list(turned(before, knobs, point).dynamic_batching.preferred_batch_size) == []


def shapes(config):
    (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    return [accelerator.parameters.get(key, "").partition(":")[2].partition("x")[0] for key in SHAPES]


def test_tensorrt_engines_are_for_all_batches_or_for_one_size_each():
    before = accelerated("tensorrt")
    knobs = knobs_for(before, 2)
    dynamic = turned(before, knobs, {"max_batch_size": 32, "engine": "dynamic", "preferred_batch": 8})
    assert shapes(dynamic) == ["1", "8", "32"] and "static_batches" not in dynamic.parameters
    static = turned(before, knobs, {"max_batch_size": 32, "engine": "static and one"})
    assert shapes(static) == ["", "", ""] and parameters_of(static)["static_batches"] == "1,32"
    assert [each.batch_size for each in static.model_warmup] == [1, 32]
    assert parameters_of(turned(before, knobs, {"engine": "static"}))["static_batches"] == "16"


def test_migraphx_compiles_for_the_batch_that_is_tried():
    before = accelerated("migraphx")
    after = turned(before, knobs_for(before, 2), {"max_batch_size": 32})
    assert parameters_of(after)["static_batches"] == "1,8,32"
    assert [each.batch_size for each in after.model_warmup] == [1, 8, 32]


@pytest.mark.parametrize(("cores", "threads"), [(1, (0, 1)), (2, (0, 1, 2)), (6, (0, 1, 2, 4, 6))])
def test_threads_reach_all_cores(cores, threads):
    (knob,) = [knob for knob in knobs_for(config("onnxruntime"), cores) if knob.name == "threads"]
    assert tuple(knob.values) == threads
