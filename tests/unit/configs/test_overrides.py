"""What one start lays over the configs of a profile."""

import json
from dataclasses import asdict

import pytest

from triptych_server.configs.overrides import Overrides
from triptych_server.configs.read import parameters_of, parse_config
from triptych_server.errors import ConfigError

CUDA = 'name: "net" backend: "onnxruntime" instance_group [ { kind: KIND_GPU count: 1 } ]'
CPU = 'name: "net" backend: "onnxruntime" instance_group [ { kind: KIND_CPU count: 1 } ]'
OPENVINO = """name: "net" backend: "openvino" instance_group [ { kind: KIND_CPU count: 1 } ]
parameters { key: "TARGET_DEVICE" value { string_value: "GPU" } } parameters { key: "PERFORMANCE_HINT" value { string_value: "LATENCY" } }"""
MIGRAPHX = (
    CUDA.replace("KIND_GPU", "KIND_MODEL") + ' optimization { execution_accelerators { gpu_execution_accelerator { name: "migraphx" } } }'
)


def config(text):
    return parse_config(text, "test")


def test_nothing_changes_where_nothing_is_said():
    assert Overrides().applied(config(CUDA)) == config(CUDA)


def test_devices_are_for_all_and_a_place_for_one():
    overrides = Overrides(device_ids=(0, 1), place={"other": (2,)})
    assert list(overrides.applied(config(CUDA)).instance_group[0].gpus) == [0, 1]
    assert list(overrides.applied(config(CUDA.replace("net", "other"))).instance_group[0].gpus) == [2]
    assert overrides.applied(config(CPU)) == config(CPU)  # a text tower that a profile keeps on the CPU


def test_amd_gpus_are_given_to_instances_in_turn():
    found = Overrides(device_ids=(0, 2)).applied(config(MIGRAPHX))
    assert (parameters_of(found)["device_ids"], found.instance_group[0].count, list(found.instance_group[0].gpus)) == ("0,2", 2, [])


def test_intel_gpus_are_named_in_the_target_device():
    one, two = (parameters_of(Overrides(device_ids=ids).applied(config(OPENVINO))) for ids in ((1,), (0, 1)))
    assert one == {"TARGET_DEVICE": "GPU.1", "PERFORMANCE_HINT": "LATENCY"}
    assert two == {"TARGET_DEVICE": "AUTO:GPU.0,GPU.1", "PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"}


def test_parameters_go_to_their_backend_and_accelerator():
    overrides = Overrides(
        parameters={"openvino": {"PERFORMANCE_HINT": "THROUGHPUT"}}, accelerator={"migraphx": {"migraphx_fp16_enable": "1"}}
    )
    assert parameters_of(overrides.applied(config(OPENVINO)))["PERFORMANCE_HINT"] == "THROUGHPUT"
    assert overrides.applied(config(CUDA)) == config(CUDA)
    (accelerator,) = overrides.applied(config(MIGRAPHX)).optimization.execution_accelerators.gpu_execution_accelerator
    assert dict(accelerator.parameters) == {"migraphx_fp16_enable": "1"}


def test_what_a_native_backend_would_ignore_keeps_ours():
    ours, either = (Overrides(parameters={"openvino": {key: "f32"}}) for key in ("INFERENCE_PRECISION_HINT", "NUM_STREAMS"))
    assert ours.applied(config(OPENVINO)).runtime == "model.py"
    assert either.applied(config(OPENVINO)).runtime == Overrides().applied(config(OPENVINO)).runtime == ""


@pytest.mark.parametrize(
    ("overrides", "text", "message"),
    [
        ({"place": {"nett": (0,)}}, CUDA, "no model 'nett' to place; there are: net"),
        ({"device_ids": (1,)}, CPU, "no model of this profile runs on a GPU"),
        ({"place": {"net": (1,)}}, CPU, "net runs on no GPU in this profile, so it cannot be placed on device 1"),
    ],
)
def test_what_cannot_be_is_an_error(overrides, text, message):
    with pytest.raises(ConfigError, match=message):
        overrides = Overrides(**overrides)
        overrides.check([config(text)])
        overrides.applied(config(text))


def test_devices_are_different():
    with pytest.raises(ConfigError, match=r"net: devices are 1, 1; expected different numbers from 0 on"):
        Overrides(place={"net": (1, 1)})


def test_a_target_that_names_its_devices_itself_is_left_to_its_author():
    with pytest.raises(ConfigError, match=r"TARGET_DEVICE is BATCH:GPU\(8\), which names its devices itself"):
        Overrides(device_ids=(1,)).applied(config(OPENVINO.replace('"GPU"', '"BATCH:GPU(8)"')))


def test_they_survive_a_note():
    overrides = Overrides((0, 1), {"net": (2,)}, {"openvino": {"A": "b"}}, {"migraphx": {"c": "d"}})
    assert Overrides.from_json(json.loads(json.dumps(asdict(overrides)))) == overrides


def test_which_configs_know_devices():
    assert Overrides().run_on_gpus([config(CPU), config(CUDA)]) and Overrides().run_on_gpus([config(OPENVINO)])
    npu = config(OPENVINO.replace('"GPU"', '"NPU"'))
    assert not Overrides().run_on_gpus([config(CPU), npu])
    assert Overrides(parameters={"openvino": {"TARGET_DEVICE": "GPU"}}).run_on_gpus([npu])
