"""The Arm NN session on a network that the real onnx2tf made: threads, fallbacks, files, refusals. LiteRT is real; the delegate is a
stand-in (tests/support/armnn_delegate)."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest

from tests.support import armnn_delegate
from triptych_server.errors import ConfigError, DeviceError
from triptych_server.models import samples
from triptych_server.sessions import armnn_delegate as delegates
from triptych_server.sessions import armnn_network
from triptych_server.sessions.armnn import open_session
from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import SessionSettings

pytestmark = pytest.mark.timeout(1200)  # the first to need the converter installs it

NETWORK = "face_recognition"


@pytest.fixture
def graph(armnn_repository):
    return armnn_repository.model(NETWORK) / "1" / "model.onnx"


@pytest.fixture
def library(tmp_path):
    return armnn_delegate.build(tmp_path)


@pytest.fixture
def mali(monkeypatch):
    """Its OpenCL, which is not here."""
    monkeypatch.setattr(delegates, "opencl_problem", lambda: "")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "triptych" / "engines"


def settings(graph, **parameters):
    return SessionSettings(NETWORK, graph, 16, "MODEL", parameters=Parameters(parameters))


def given(library):
    """What each delegate was given."""
    lines = library.with_name(library.name + ".options").read_text().splitlines()
    return [dict(option.split("=", 1) for option in line.split("\t") if option) for line in lines]


def embed(session, rows):
    with session.run({"image": rows}) as outputs:
        return outputs["embedding"].copy()


def test_no_answer_is_ever_anothers(graph, library):
    """Eight threads, batches of one to three, two interpreters."""
    session = open_session(settings(graph, backends="CpuAcc", delegate=str(library), interpreters="2"))
    assert session.concurrency == 3
    pictures = samples.pictures(112, 12)
    alone = np.concatenate([embed(session, pictures[at : at + 1]) for at in range(12)])

    def check(seed):
        which = np.random.default_rng(seed).integers(0, 12, 1 + seed % 3)
        return np.array_equal(embed(session, pictures[which]), alone[which])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, range(200)))
    session.close()


def test_the_gpu_gets_its_options(graph, library, mali, cache):
    chosen = {"fp16": "true", "tuning_level": "3", "cached_network": "true", "fast_math": "true", "number_of_threads": "3"}
    session = open_session(settings(graph, delegate=str(library), **chosen))
    assert (session.device.requested, session.device.precision, session.device.fallback) == ("GpuAcc", "f16", "")
    assert session.device.actual == "Arm NN GpuAcc,CpuAcc, 4 of 23 operators"
    gpu, cpu, options = given(library)  # each backend alone first: whether this Arm NN has it
    tuning_file = options.pop("gpu-tuning-file")
    assert tuning_file.startswith(str(cache))
    assert tuning_file.endswith("/f16-3.tuning")
    assert (gpu["backends"], gpu["gpu-tuning-file"], gpu["gpu-tuning-level"]) == ("GpuAcc", tuning_file, "3")
    assert (cpu["backends"], cpu.get("gpu-tuning-file")) == ("CpuAcc", None)
    assert options.pop("cached-network-filepath").startswith(str(cache))
    assert options == {
        "backends": "GpuAcc,CpuAcc", "logging-severity": "warning", "gpu-tuning-level": "3", "save-cached-network": "true",
        "number-of-threads": "3", "enable-fast-math": "true", "reduce-fp32-to-fp16": "true",
    }  # fmt: skip
    session.close()


OPEN_AND_CLOSE = """
import sys
from pathlib import Path
from triptych_server.sessions import armnn, armnn_delegate
from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import SessionSettings
armnn_delegate.opencl_problem = lambda: ""
given = Parameters({"delegate": sys.argv[2], "cached_network": "true"})
armnn.open_session(SessionSettings("face_recognition", Path(sys.argv[1]), 16, "MODEL", parameters=given)).close()
"""


def test_what_was_tuned_and_compiled_is_used_by_the_next_process(graph, library, cache):
    """Without a single request: a network runs once before it is ready."""
    for level, saved in (("2", "true"), ("0", "false"), ("0", "false")):
        subprocess.run([sys.executable, "-c", OPEN_AND_CLOSE, graph, library], check=True, timeout=60, env={**os.environ})
        options = given(library)[-1]
        assert (options["gpu-tuning-level"], options["save-cached-network"]) == (level, saved)
        kept = {file.name: file.read_text() for file in cache.rglob("f32*")}
        assert kept == {"f32-2.tuning": "tuned\n", "f32.anncache": "kernels\n"}


def test_kernels_of_other_libraries_are_not_read(graph, library, mali, cache):
    """Arm NN does not survive them."""
    for saved in ("true", "false", "true"):
        open_session(settings(graph, delegate=str(library), cached_network="true")).close()
        assert given(library)[-1]["save-cached-network"] == saved
        if saved == "false":
            os.utime(library)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, r"GpuAcc was asked for, but none of libOpenCL\.so.*hardware: no Mali GPU.*set allow_fallback"),
        ({"backends": "CpuAcc"}, r"delegate cannot be loaded: libarmnnDelegate\.so: cannot open shared object"),
        (
            {"backends": "CpuAcc", "delegate": "libc.so.6"},
            r"libc\.so\.6 is no delegate for LiteRT: it has no tflite_plugin_create_delegate",
        ),
    ],
)
def test_what_is_missing_is_an_error_or_a_fallback_that_says_so(graph, parameters, words):
    with pytest.raises(DeviceError, match=rf"{NETWORK}: .*{words}"):
        open_session(settings(graph, **parameters))
    session = open_session(settings(graph, allow_fallback="true", **parameters))
    assert (session.device.actual, session.device.precision) == ("CPU, LiteRT's XNNPACK", "f32")
    assert session.device.requested == parameters.get("backends", "GpuAcc")
    assert NETWORK in session.device.fallback
    assert np.linalg.norm(embed(session, samples.pictures(112, 2)), axis=-1) == pytest.approx(1, abs=1e-5)
    session.close()


def test_without_opencl_the_other_backends_take_over(graph, library):
    session = open_session(settings(graph, delegate=str(library), allow_fallback="true"))
    assert (session.device.requested, session.device.actual) == ("GpuAcc", "Arm NN CpuAcc, 4 of 23 operators")
    assert "none of libOpenCL.so" in session.device.fallback
    assert {options["backends"] for options in given(library)} == {"CpuAcc"}
    session.close()


@pytest.mark.parametrize(("there", "lacking"), [("CpuAcc", "GpuAcc"), ("GpuAcc", "CpuAcc")])
def test_a_backend_that_arm_nn_would_leave_out_is_told(graph, tmp_path, mali, there, lacking):
    library = armnn_delegate.build(tmp_path, there)
    words = rf"{lacking} was asked for, but .*No known backend specified.*take it out of `backends`"
    with pytest.raises(DeviceError, match=words):
        open_session(settings(graph, delegate=str(library)))
    session = open_session(settings(graph, delegate=str(library), allow_fallback="true"))
    assert (session.device.requested, session.device.actual) == ("GpuAcc", f"Arm NN {there}, 4 of 23 operators")
    assert f"{lacking} was asked for" in session.device.fallback
    session.close()


def test_a_delegate_that_takes_nothing_is_an_error(graph, library):
    with pytest.raises(DeviceError, match="Arm NN took no part of the network"):
        open_session(settings(graph, backends="CpuRef", delegate=str(library)))


def test_a_delegate_that_refuses_says_why(library):
    with pytest.raises(DeviceError, match="does not start: .*Unknown option for the ArmNN Delegate given: turbo"):
        delegates.make_delegate(armnn_network.litert(), str(library), {"turbo": "1"})


def test_a_damaged_network_is_refused(graph, library, tmp_path):
    copy = tmp_path / "1"
    (copy / "armnn").mkdir(parents=True)
    for name in ("model.onnx", "armnn/conversion.json", "armnn/tail.onnx"):
        (copy / name).write_bytes((graph.parent / name).read_bytes())
    (copy / "armnn" / "model.tflite").write_bytes(b"not a network")
    with pytest.raises(DeviceError, match=r"LiteRT cannot load model\.tflite"):
        open_session(settings(copy / "model.onnx", backends="CpuAcc", delegate=str(library)))


def test_a_conversion_of_another_graph_is_refused(graph, tmp_path):
    """With a fallback allowed too: it is the files that are wrong, not the device."""
    copy = tmp_path / "1"
    (copy / "armnn").mkdir(parents=True)
    newer = onnx.load(str(graph))
    newer.doc_string = "imported again"
    onnx.save_model(newer, str(copy / "model.onnx"))
    with pytest.raises(ConfigError, match="there is no conversion for armnn; run `triptych models convert --target armnn`"):
        open_session(settings(copy / "model.onnx", allow_fallback="true"))
    shutil.copyfile(graph.parent / "armnn" / "conversion.json", copy / "armnn" / "conversion.json")
    with pytest.raises(ConfigError, match="armnn was converted from another graph; run `triptych models convert --target armnn`"):
        open_session(settings(copy / "model.onnx", allow_fallback="true"))
