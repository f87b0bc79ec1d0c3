"""What Triton tells a backend, as typed settings."""

import json
from pathlib import Path

import pytest

from triptych_server.serving.instance import Instance


def test_args_become_session_settings():
    config = {
        "max_batch_size": 16,
        "default_model_filename": "model.onnx",
        "input": [{"name": "image", "data_type": "TYPE_UINT8", "dims": ["224", "224", "3"], "optional": True}],
        "output": [{"name": "embedding", "data_type": "TYPE_FP32", "dims": ["512"]}],
        "parameters": {"NUM_STREAMS": {"string_value": "2"}, "feeds": {}},
        "optimization": {
            "graph": {"level": 1},
            "execution_accelerators": {
                "gpu_execution_accelerator": [{"name": "tensorrt", "parameters": {"precision_mode": "FP16"}}],
                "cpu_execution_accelerator": [],
            },
        },
    }
    args = {
        "model_config": json.dumps(config),
        "model_name": "clip_visual",
        "model_version": "3",
        "model_repository": "/models/clip_visual",
        "model_instance_name": "clip_visual_0_1",
        "model_instance_kind": "GPU",
        "model_instance_device_id": "1",
    }
    instance = Instance.from_args(args)
    assert instance.inputs[0].dims == (224, 224, 3)
    assert instance.inputs[0].optional and not instance.outputs[0].optional
    assert (instance.parameters.text("feeds", "unset"), list(instance.own_parameters())) == ("", ["NUM_STREAMS"])
    settings = instance.session_settings()
    assert settings.graph == Path("/models/clip_visual/3/model.onnx")
    assert (settings.kind, settings.device_id, settings.max_batch_size, settings.graph_level) == ("GPU", 1, 16, 1)
    assert settings.parameters.integer("NUM_STREAMS", 0) == 2
    assert settings.gpu_accelerators[0].name == "tensorrt"
    assert settings.gpu_accelerators[0].parameters.text("precision_mode") == "FP16"
    assert settings.cpu_accelerators == ()


@pytest.mark.parametrize(("name", "device"), [("net_0_0", 1), ("net_0_1", 3), ("net_0_2", 1)])
def test_instances_take_the_listed_devices_in_turn(name, device):
    """AMD's GPUs, which Triton does not know."""
    config = {"max_batch_size": 1, "input": [], "output": [], "parameters": {"device_ids": {"string_value": "1,3"}}}
    args = {"model_config": json.dumps(config), "model_name": "net", "model_version": "1", "model_repository": "/models/net"}
    args |= {"model_instance_name": name, "model_instance_kind": "MODEL", "model_instance_device_id": "0"}
    assert Instance.from_args(args).session_settings().device_id == device
