"""The random face networks have the size and the form of the usual packs, and the project's own import takes them."""

import numpy as np
import onnx
import onnxruntime
import pytest

from demo.faces.networks import WEIGHTS
from loadtest.convnets import iresnet_50, multiply_adds, scrfd_10g, scrfd_10g_trace
from loadtest.random_faces import random_faces, with_locator
from triptych_server.models.import_faces import import_detector, import_embedder


def parameters(model):
    return sum(int(np.prod(weight.dims)) for weight in model.graph.initializer)


def run(model, picture):
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"input.1": picture})


def test_the_detector_is_of_scrfd_10gs_size():
    """10 thousand million multiplications and additions at 640 x 480, 4.2 M parameters, as its authors count them."""
    model = scrfd_10g(0)
    assert multiply_adds(model) * 480 / 640 == pytest.approx(10.0e9, rel=0.01)
    assert parameters(model) == pytest.approx(4.23e6, rel=0.01)


def test_the_embedder_is_of_iresnet_50s_size():
    model = iresnet_50(0)
    assert multiply_adds(model) == pytest.approx(6.3e9, rel=0.01)
    assert parameters(model) == pytest.approx(43.6e6, rel=0.01)


def test_the_locator_gives_the_answer_and_the_large_one_hardly_moves_it():
    picture = np.random.default_rng(1).uniform(-1, 1, (1, 3, 640, 640)).astype(np.float32)
    locator = onnx.load(WEIGHTS / "detection" / "model.onnx")
    both = with_locator(scrfd_10g_trace(0), locator)
    for merged, alone in zip(run(both, picture), run(locator, picture), strict=True):
        assert np.abs(merged - alone).max() < 1e-4
        assert (merged != alone).any()
    assert multiply_adds(both) == multiply_adds(scrfd_10g(0)) + multiply_adds(locator)


def test_both_can_be_imported(tmp_path):
    folder = random_faces(tmp_path)
    assert random_faces(tmp_path) == folder
    assert import_detector(folder / "detection" / "model.onnx", tmp_path / "detector.onnx").anchors == 16800
    assert import_embedder(folder / "recognition" / "model.onnx", tmp_path / "embedder.onnx").dim == 512
