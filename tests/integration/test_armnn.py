"""Networks converted by the real onnx2tf, served by the real Triton and the real backend through the real LiteRT, with XNNPACK where a
Mali would be, and with a stand-in for Arm NN's delegate (tests/support/armnn_delegate)."""

import contextlib
import time

import numpy as np
import pytest

from tests.support import armnn_delegate
from tests.support.converted import agree, captions_find_their_pictures, group_photos, infer, original
from tests.support.faces import ask, connect
from tests.support.prometheus import counter
from tests.support.serving import options, serving
from triptych_server.configs.overrides import Overrides
from triptych_server.engine import Engine
from triptych_server.errors import EngineError
from triptych_server.models import samples

pytestmark = pytest.mark.timeout(1200)  # the first to need the converter installs it

SIDES = {"clip_visual": 224, "face_detection": 640, "face_recognition": 112}
LIMITS = {"cosine": 0.99999, "pixels": 0.01, "score": 0.0001}


def serve(repository, folder, **parameters):
    return Engine(options(repository, folder, profile="armnn", overrides=Overrides(parameters={"armnn": parameters})))


@pytest.fixture(scope="module")
def fallen_back(armnn_repository, tmp_path_factory):
    """LiteRT on the processor: there is no Mali, and this is allowed to say so."""
    with serve(armnn_repository, tmp_path_factory.mktemp("fallback"), allow_fallback="true", interpreters="2") as running:
        yield running


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """Stand-ins for what a board with a Mali has."""
    folder = tmp_path_factory.mktemp("board")
    armnn_delegate.build_opencl(folder)
    armnn_delegate.build(folder)
    return folder


@pytest.fixture(scope="module")
def delegated(armnn_repository, board):
    """The profile as it is, on a board whose GPU is its processor."""
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LD_LIBRARY_PATH", str(board))
            patch.setenv("XDG_CACHE_HOME", str(board / "cache"))
            running = stack.enter_context(serve(armnn_repository, board))
        yield running


@pytest.fixture(scope="module")
def cpu(armnn_repository, tmp_path_factory):
    """The plain-CPU profile on the same models."""
    with serving(armnn_repository, tmp_path_factory.mktemp("plain")) as running:
        yield running


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("network", SIDES)
@pytest.mark.parametrize("served", ["fallen_back", "delegated"])
def test_every_output_agrees_with_the_original(request, armnn_repository, served, network, batch):
    rows = samples.pictures(SIDES[network], batch)
    with connect(request.getfixturevalue(served)) as client:
        agree(infer(client, network, rows), original(armnn_repository, network, rows), **LIMITS)


def test_the_metric_tells_what_runs_where(fallen_back, delegated):
    for network in SIDES:
        labels = {"model": network, "precision": "f32", "profile": "armnn"}
        assert counter(fallen_back.metrics_url, "triptych_device_info", requested="GpuAcc", actual="CPU, LiteRT's XNNPACK", **labels) == 0
    taken = {"clip_visual": "12 of 164", "face_detection": "7 of 49", "face_recognition": "4 of 23"}
    for network, count in taken.items():
        labels = {"model": network, "requested": "GpuAcc", "actual": f"Arm NN GpuAcc,CpuAcc, {count} operators"}
        assert counter(delegated.metrics_url, "triptych_device_info", **labels) == 1
    assert counter(delegated.metrics_url, "triptych_device_info", model="clip_textual", requested="CPU", actual="CPU") == 1


def test_a_mali_that_is_not_there_is_an_error_with_its_mend(armnn_repository, tmp_path):
    missing = r"(?s)GpuAcc was asked for, but none of libOpenCL\.so, libGLES_mali\.so, libmali\.so can be loaded.*hardware: no Mali GPU"
    with pytest.raises(EngineError, match=missing), serve(armnn_repository, tmp_path):
        pytest.fail("it must not start")


def test_captions_find_their_pictures(delegated, cpu):
    captions_find_their_pictures(delegated, cpu, cosine=LIMITS["cosine"])


def test_faces_are_those_that_a_processor_finds(fallen_back, cpu):
    with connect(fallen_back) as on_litert, connect(cpu) as on_cpu:
        pairs = [(ask(on_litert, photo), ask(on_cpu, photo)) for photo in group_photos(4)]
    assert sum(len(wanted["boxes"]) for _, wanted in pairs) >= 4
    for found, wanted in pairs:
        np.testing.assert_allclose(found["boxes"], wanted["boxes"], atol=0.1)  # in the photo, which is larger than the letterbox
        np.testing.assert_allclose(found["scores"], wanted["scores"], atol=LIMITS["score"])
        assert ((found["embeddings"] * wanted["embeddings"]).sum(-1) >= 0.9999).all()


def test_what_was_tuned_is_written_when_a_network_goes(delegated, board):
    """By the end of its process, which Triton must not kill."""
    assert not list(board.rglob("*.tuning"))
    with connect(delegated) as client:
        client.unload_model("face_recognition", headers=delegated.control_headers)
    deadline = time.monotonic() + 20
    while not (written := list(board.rglob("*.tuning"))):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [file.name for file in written] == ["f32-2.tuning"]
