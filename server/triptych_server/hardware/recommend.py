"""Which profile `auto` stands for on this machine."""

import importlib.util
import platform

AUTO = "auto"


def recommended_profile() -> str:
    """`openvino` on x86-64 with OpenVINO installed (bf16 where the CPU has it, and ahead of ONNX Runtime in f32 too), else `cpu`."""
    is_x86 = platform.machine().lower() in {"x86_64", "amd64"}
    return "openvino" if is_x86 and importlib.util.find_spec("openvino") else "cpu"
