"""The Arm NN session on a network that the real onnx2tf made: threads, fallbacks, files, refusals. LiteRT is real; the delegate is a
stand-in (tests/support/armnn_delegate)."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest

from tests.support import armnn_delegate
from triptych_server.errors import ConfigError, DeviceError
from triptych_server.models import samples
from triptych_server.sessions import armnn, armnn_network
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
    monkeypatch.setattr(armnn, "opencl_problem", lambda: "")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "triptych" / "engines" / "armnn"


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


def test_the_gpu_gets_its_options_and_keeps_what_it_tuned(graph, library, mali, cache):
    chosen = {"fp16": "true", "tuning_level": "3", "cached_network": "true", "fast_math": "true", "number_of_threads": "3"}
    session = open_session(settings(graph, delegate=str(library), **chosen))
    assert (session.device.requested, session.device.precision, session.device.fallback) == ("GpuAcc", "f16", "")
    assert session.device.actual == "Arm NN GpuAcc,CpuAcc, 4 parts"
    [options] = given(library)
    assert options.pop("gpu-tuning-file").startswith(str(cache))
    assert options.pop("cached-network-filepath").startswith(str(cache))
    assert options == {
        "backends": "GpuAcc,CpuAcc", "logging-severity": "warning", "gpu-tuning-level": "3", "save-cached-network": "true",
        "number-of-threads": "3", "enable-fast-math": "true", "reduce-fp32-to-fp16": "true",
    }  # fmt: skip
    assert not list(cache.rglob("*.tuning"))
    session.close()
    assert [file.read_text() for file in cache.rglob("f16.tuning")] == ["tuned\n"]


def test_a_network_that_was_kept_is_read(graph, library, mali, cache):
    for saved in ("true", "false"):
        open_session(settings(graph, delegate=str(library), cached_network="true")).close()
        assert given(library)[-1]["save-cached-network"] == saved
        [folder] = [file.parent for file in cache.rglob(".writable")]
        (folder / "f32.anncache").touch()


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
    assert (session.device.requested, session.device.actual) == ("GpuAcc", "Arm NN CpuAcc, 4 parts")
    assert "none of libOpenCL.so" in session.device.fallback
    assert given(library)[0]["backends"] == "CpuAcc"
    session.close()


def test_a_delegate_that_takes_nothing_is_an_error(graph, library):
    with pytest.raises(DeviceError, match="Arm NN took no part of the network"):
        open_session(settings(graph, backends="CpuRef", delegate=str(library)))


def test_a_delegate_that_refuses_says_why(library):
    from triptych_server.sessions.armnn_delegate import make_delegate

    with pytest.raises(DeviceError, match="does not start: .*Unknown option for the ArmNN Delegate given: turbo"):
        make_delegate(armnn_network.litert(), str(library), {"turbo": "1"})


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
    (copy / "armnn" / "conversion.json").write_bytes((graph.parent / "armnn" / "conversion.json").read_bytes())
    with pytest.raises(ConfigError, match="armnn was converted from another graph; run `triptych models convert --target armnn`"):
        open_session(settings(copy / "model.onnx", allow_fallback="true"))
