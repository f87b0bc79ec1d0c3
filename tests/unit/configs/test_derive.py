"""Shapes and warm-ups that follow from a model's own dims and batch."""

import pytest

from triptych_server.configs.derive import SHAPES, derive
from triptych_server.configs.read import parameters_of, parse_config, render_config

BASE = 'name: "net" max_batch_size: 16 input [ { name: "image" data_type: TYPE_UINT8 dims: [ 8, 8, 3 ] } ]\n'


def accelerated(name, inside="", more=""):
    accelerator = f'gpu_execution_accelerator {{ name: "{name}" {inside} }}'
    return parse_config(f"{BASE} {more} optimization {{ execution_accelerators {{ {accelerator} }} }}", "test")


def shapes(config):
    (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    return [accelerator.parameters.get(key) for key in SHAPES]


def warmed(config):
    return [(each.batch_size, list(each.inputs["image"].dims), each.inputs["image"].zero_data) for each in config.model_warmup]


def test_others_stay_as_they_are():
    plain = parse_config(BASE, "test")
    assert derive(plain) == plain
    assert derive(accelerated("cuda")) == accelerated("cuda")


def test_tensorrt_builds_for_one_to_the_largest_batch():
    config = derive(accelerated("tensorrt"))
    assert shapes(config) == ["image:1x8x8x3", "image:16x8x8x3", "image:16x8x8x3"]
    assert warmed(config) == [(1, [8, 8, 3], True), (16, [8, 8, 3], True)]
    assert parse_config(render_config(config), "again") == config


def test_tensorrt_is_tuned_for_the_preferred_batch():
    config = derive(accelerated("tensorrt", more="dynamic_batching { preferred_batch_size: [ 4, 8 ] }"))
    assert shapes(config) == ["image:1x8x8x3", "image:8x8x8x3", "image:16x8x8x3"]
    assert [batch for batch, _, _ in warmed(config)] == [1, 8, 16]


def test_what_a_fragment_says_stays():
    own = 'parameters { key: "trt_profile_opt_shapes" value: "image:2x8x8x3" }'
    assert shapes(derive(accelerated("tensorrt", own))) == [None, "image:2x8x8x3", None]
    config = accelerated("tensorrt", more='model_warmup { name: "mine" batch_size: 3 }')
    assert [each.name for each in derive(config).model_warmup] == ["mine"]


@pytest.mark.parametrize(("most", "expected"), [(1, "1"), (4, "1,4"), (8, "1,8"), (32, "1,8,32")])
def test_migraphx_compiles_for_few_batches(most, expected):
    config = accelerated("migraphx")
    config.max_batch_size = most
    derived = derive(config)
    assert parameters_of(derived)["static_batches"] == expected
    assert [batch for batch, _, _ in warmed(derived)] == [int(size) for size in expected.split(",")]


def test_static_batches_of_ones_own_are_warmed():
    config = accelerated("migraphx", more='parameters { key: "static_batches" value { string_value: "2,16" } }')
    assert [batch for batch, _, _ in warmed(derive(config))] == [2, 16]
