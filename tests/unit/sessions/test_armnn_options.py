"""Parameters of a config, as Arm NN's delegate is given them."""

from pathlib import Path

import pytest

from triptych_server.errors import ConfigError
from triptych_server.sessions.armnn_options import ArmnnOptions
from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import SessionSettings


def read(**parameters):
    return ArmnnOptions.from_settings(SessionSettings("net", Path("model.onnx"), 16, "MODEL", parameters=Parameters(parameters)))


def test_nothing_said_is_the_gpu_in_float32_with_its_kernels_tuned():
    given = read()
    assert (given.backends, given.fp16, given.tuning_level, given.interpreters) == (("GpuAcc", "CpuAcc"), False, 2, 1)
    assert given.library == "libarmnnDelegate.so"


@pytest.mark.parametrize(
    ("parameters", "save", "options"),
    [
        (
            {"tuning_file": "/t"}, False,
            {"backends": "GpuAcc,CpuAcc", "gpu-tuning-level": "2", "gpu-tuning-file": "/t", "reduce-fp32-to-fp16": "false"},
        ),
        (
            {"tuning_level": "0", "fp16": "1", "cached_network": "true", "fast_math": "true"}, True,
            {
                "backends": "GpuAcc,CpuAcc", "save-cached-network": "true", "cached-network-filepath": "/c", "enable-fast-math": "true",
                "reduce-fp32-to-fp16": "true",
            },
        ),
        (
            {"tuning_level": "0", "cached_network": "true", "backends": "GpuAcc"}, False,
            {"backends": "GpuAcc", "save-cached-network": "false", "cached-network-filepath": "/c"},
        ),
        (
            {"backends": "CpuAcc, CpuRef", "number_of_threads": "4", "logging_severity": "Debug"}, False,
            {"backends": "CpuAcc,CpuRef", "number-of-threads": "4", "logging-severity": "debug", "enable-fast-math": "false"},
        ),
        ({"backends": "CpuRef"}, False, {"backends": "CpuRef", "logging-severity": "warning", "reduce-fp32-to-fp16": "false"}),
    ],
)  # fmt: skip
def test_the_delegate_is_given(parameters, save, options):
    found = read(**parameters).for_delegate("/c" if "cached_network" in parameters else "", save=save)
    assert next(iter(found)) == "backends"  # else the delegate drops what is for a backend
    assert options.items() <= found.items()
    assert set(found) - set(options) <= {"logging-severity", "enable-fast-math", "reduce-fp32-to-fp16"}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"backends": "GpuAcc,Cpu"}, "backends is 'GpuAcc,Cpu'; expected some of GpuAcc,CpuAcc,CpuRef"),
        ({"backends": "CpuAcc,CpuAcc"}, "expected some of"),
        ({"backends": ""}, "expected some of"),
        ({"tuning_level": "4"}, "tuning_level is 4; expected 0 to 3"),
        ({"interpreters": "0"}, "interpreters is 0; expected 1 to 16"),
        ({"number_of_threads": "65"}, "number_of_threads is 65; expected 0 to 64"),
        ({"logging_severity": "loud"}, "logging_severity is 'loud'; expected one of trace"),
        ({"fp16": "half"}, "fp16 is 'half'; expected true or false"),
        (
            {"backends": "CpuAcc", "cached_network": "true"},
            "net: parameter cached_network is of GpuAcc, which is not among backends; remove",
        ),
        ({"backends": "CpuAcc", "tuning_file": "/t"}, "parameter tuning_file is of GpuAcc"),
        ({"turbo": "1"}, "net: the armnn backend does not know parameter turbo; it knows allow_fallback, backends"),
    ],
)
def test_wrong_parameters_are_refused(parameters, words):
    with pytest.raises(ConfigError, match=words):
        read(**parameters)
