"""Immich's variables, as its users have them in their compose files."""

import pytest

from triptych_server.configs.overrides import Overrides
from triptych_server.engine.immich_environment import ImmichSettings, immich_settings
from triptych_server.errors import ConfigError


def settings(**variables):
    return immich_settings({f"MACHINE_LEARNING_{key}": value for key, value in variables.items()} | {"PATH": "/bin"})


def test_nothing_said_is_nothing_changed():
    assert settings() == settings(WORKERS="") == ImmichSettings(Overrides(), (), ())
    assert settings(DEVICE_IDS="0").overrides == Overrides(device_ids=(0,))


def test_threads_are_for_both_runtimes_of_the_cpu():
    overrides = settings(MODEL_INTRA_OP_THREADS="4", MODEL_INTER_OP_THREADS="2").overrides
    assert overrides.parameters == {
        "onnxruntime": {"intra_op_thread_count": "4", "inter_op_thread_count": "2", "execution_mode": "1"},
        "openvino": {"INFERENCE_NUM_THREADS": "4"},
    }
    assert settings(MODEL_INTER_OP_THREADS="1").overrides.parameters == {"onnxruntime": {"inter_op_thread_count": "1"}}
    assert settings(MODEL_INTRA_OP_THREADS="0").overrides.parameters == {"onnxruntime": {"intra_op_thread_count": "0"}}


def test_devices_and_accelerators():
    overrides = settings(
        DEVICE_IDS="0, 1", RKNN_THREADS="3", ANN_FP16_TURBO="True", ANN_TUNING_LEVEL="1", OPENVINO_PRECISION="FP16", ROCM_PRECISION="fp16",
        MODEL_ARENA="false",
    ).overrides  # fmt: skip
    assert overrides.device_ids == (0, 1)
    assert overrides.parameters == {
        "onnxruntime": {"enable_mem_arena": "false"},
        "openvino": {"INFERENCE_PRECISION_HINT": "f16"},
        "rknn": {"contexts": "3"},
        "armnn": {"fp16": "true", "tuning_level": "1"},
    }
    assert overrides.accelerator == {"migraphx": {"migraphx_fp16_enable": "1"}}


def test_models_to_preload_are_those_to_serve():
    found = settings(
        PRELOAD__CLIP__TEXTUAL="ViT-B-32__openai",
        PRELOAD__CLIP__VISUAL="ViT-B-32__openai,nllb-clip-base-siglip__v1",
        PRELOAD__FACIAL_RECOGNITION__DETECTION="buffalo_l",
        PRELOAD__OCR__DETECTION="PP-OCRv5_mobile",
    )
    assert found.models == ("ViT-B-32__openai", "buffalo_l")
    assert any("one at a time is served: ViT-B-32__openai" in note for note in found.notes)
    assert any("PRELOAD__OCR__DETECTION has no effect: text in pictures is not read yet" in note for note in found.notes)


def test_what_has_no_effect_is_told():
    (note,) = settings(WORKERS="4").notes
    assert note == "MACHINE_LEARNING_WORKERS has no effect: one server uses all cores and devices, and batches the requests of everybody"
    assert settings(CACHE_FOLDER="/cache").notes == ("MACHINE_LEARNING_CACHE_FOLDER has no effect here",)
    assert len(settings(MODEL_TTL_POLL_S="5", ANN="false", RKNN="false").notes) == 3
    assert (settings(MODEL_TTL="300").model_ttl, settings(MODEL_TTL="0").model_ttl, settings().model_ttl) == (300, 0, 0)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("DEVICE_IDS", "cuda:0", "MACHINE_LEARNING_DEVICE_IDS is 'cuda:0'; expected device numbers"),
        ("RKNN_THREADS", "0", "expected a number from 1 to 1024"),
        ("ANN_TUNING_LEVEL", "4", "expected a number from 0 to 3"),
        ("ANN_FP16_TURBO", "maybe", "expected true or false"),
        ("OPENVINO_PRECISION", "FP8", "expected one of FP32, FP16, BF16"),
        ("ROCM_PRECISION", "BF16", "expected one of FP32, FP16"),
    ],
)
def test_a_value_that_cannot_be_is_named(key, value, message):
    with pytest.raises(ConfigError, match=message):
        settings(**{key: value})
