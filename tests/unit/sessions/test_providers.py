"""Execution providers from accelerators, as the native backend reads them."""

from pathlib import Path

import pytest

from triptych_server.errors import ConfigError
from triptych_server.sessions import SessionSettings
from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import Accelerator
from triptych_server.sessions.providers import choose_providers


def providers(kind="GPU", parameters=None, device_id=1, **accelerators):
    chosen = tuple(Accelerator(name, Parameters(options)) for name, options in accelerators.items())
    field = "gpu_accelerators" if kind == "GPU" else "cpu_accelerators"
    return choose_providers(
        SessionSettings("net", Path("g.onnx"), kind=kind, device_id=device_id, parameters=Parameters(parameters or {}), **{field: chosen})
    )


def test_the_cpu_is_always_last():
    assert [provider.name for provider in providers("CPU")] == ["CPUExecutionProvider"]
    assert [provider.name for provider in providers()] == ["CUDAExecutionProvider", "CPUExecutionProvider"]


def test_tensorrt_comes_before_cuda_and_its_native_names_are_translated():
    first, second, _ = providers(tensorrt={"precision_mode": "FP16", "max_workspace_size_bytes": "1024", "trt_engine_cache_enable": "1"})
    assert first.name == "TensorrtExecutionProvider"
    assert dict(first.options) == {
        "trt_fp16_enable": "1",
        "trt_max_workspace_size": "1024",
        "trt_engine_cache_enable": "1",
        "device_id": "1",
    }
    assert (first.device, first.precision) == ("TensorRT:1", "f16")
    assert second.name == "CUDAExecutionProvider"


def test_cuda_options_come_from_both_homes():
    cuda = providers(parameters={"gpu_mem_limit": "5", "arena_extend_strategy": "1"}, cuda={"cudnn_conv_algo_search": "DEFAULT"})[0]
    assert dict(cuda.options) == {
        "gpu_mem_limit": "5",
        "arena_extend_strategy": "kSameAsRequested",  # Triton numbers them in `parameters`
        "cudnn_conv_algo_search": "DEFAULT",
        "device_id": "1",
    }
    with pytest.raises(ConfigError, match=r"is '3'; expected one of 0 \(EXHAUSTIVE\), 1 \(HEURISTIC\), 2 \(DEFAULT\)"):
        providers(parameters={"cudnn_conv_algo_search": "3"})


def test_migraphx_goes_without_cuda():
    names = [provider.name for provider in providers(migraphx={"migraphx_fp16_enable": "1"})]
    assert names == ["MIGraphXExecutionProvider", "CPUExecutionProvider"]


@pytest.mark.parametrize(
    ("kind", "accelerators", "message"),
    [
        ("GPU", {"nvtensorrt": {}}, "unknown gpu_execution_accelerator 'nvtensorrt'; expected cuda, tensorrt or migraphx"),
        ("CPU", {"onednn": {}}, "unknown cpu_execution_accelerator 'onednn'; expected openvino"),
        ("GPU", {"tensorrt": {"precision_mode": "FP8"}}, "precision_mode is 'FP8'; expected one of FP32, FP16, BF16, INT8"),
        ("GPU", {"tensorrt": {"workspace": "1"}}, "does not know parameter workspace"),
        ("GPU", {"tensorrt": {"trt_fp16_enable": "1"}}, "does not know parameter trt_fp16_enable"),
        ("GPU", {"cuda": {"cudnn_conv_algo": "1"}}, "the cuda accelerator does not know parameter cudnn_conv_algo"),
        ("GPU", {"migraphx": {"migraphx_save_compiled_model": "1"}}, "does not know parameter migraphx_save_compiled_model"),
        ("GPU", {"migraphx": {"migraphx_fp16_enable": "1", "migraphx_bf16_enable": "1"}}, "is asked for fp16 and bf16; switch all but one"),
    ],
)
def test_what_nobody_knows_is_an_error(kind, accelerators, message):
    with pytest.raises(ConfigError, match=message):
        providers(kind, **accelerators)
