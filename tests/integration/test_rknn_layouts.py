"""Networks of many exporters through the real rknn-toolkit2: small ones with random weights, compared in Rockchip's PC simulator."""

import json

import numpy as np
import onnx
import pytest

from tests.support import face_exports
from tests.support.serving import CHECKOUT
from triptych_server.errors import ConversionError
from triptych_server.models.convert.convert import convert
from triptych_server.models.convert.rknn import RknnConverter
from triptych_server.models.import_clip import import_visual
from triptych_server.models.import_faces import import_detector, import_embedder
from triptych_server.models.preprocess import Preprocess

pytest.importorskip("torch", reason="PyTorch, which makes the exports, is not installed")
pytest.importorskip("transformers", reason="transformers is not installed: it is a reference")
from tests.support import exports

pytestmark = pytest.mark.timeout(1200)  # the first to need the converter installs it

LAYOUTS = {  # one for each form that the cut and the toolkit see; the others are cut in tests/unit/models/convert
    "openclip-vit": ("clip_visual", "rk3588"),
    "openclip-rn50": ("clip_visual", "rk3576"),
    "immich-v2-visual": ("clip_visual", "rk3566"),
    "huggingface-siglip-visual": ("clip_visual", "rk3588"),
    "arcface": ("face_recognition", "rk3568"),
    "immich-v2-embedder": ("face_recognition", "rk3588"),
    "scrfd": ("face_detection", "rk3566"),
    "immich-v2-detector": ("face_detection", "rk3588"),
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return CHECKOUT.copy_to(tmp_path_factory.mktemp("layouts") / "repository")


@pytest.mark.parametrize("name", LAYOUTS)
def test_agrees_in_the_simulator(name, repository, rknn_toolkit, tmp_path):
    network, target = LAYOUTS[name]
    graph = repository.model(network) / "1" / "model.onnx"
    if network == "clip_visual":
        import_visual(exports.make(name, tmp_path).path, graph, preprocess=Preprocess(exports.SIZE, exports.MEAN, exports.STD))
    else:
        bring = import_embedder if network == "face_recognition" else import_detector
        bring(face_exports.make(name, tmp_path).path, graph)
    report = convert(repository, network, RknnConverter(rknn_toolkit, target), print)
    if report.agreement.cosine is None:
        assert 0 < report.agreement.pixels < 1
        assert report.agreement.score < 0.005
    else:
        assert 0.9999 < report.agreement.cosine < 1
    found = json.loads((report.folder / "conversion.json").read_text())
    assert (found["toolkit"], found["version"], found["target"], found["precision"]) == ("rknn-toolkit2", "2.5.0", target, "f16")
    assert (report.folder / "model.rknn").read_bytes()[:4] == b"RKNN"


def test_numbers_that_overflow_in_half_precision_are_found(repository, rknn_toolkit, tmp_path):
    """A tower whose features are a thousand times as large before it normalises: in float32 it answers as before."""
    name = "openclip-vit-not-normalised"
    graph = repository.model("clip_visual") / "1" / "model.onnx"
    made = exports.make(name, tmp_path)
    model = onnx.load(str(made.path))
    last = next(node for node in model.graph.node if "embedding" in node.output)
    weights = next(tensor for tensor in model.graph.initializer if tensor.name in last.input)
    weights.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights) * np.float32(1e5), weights.name))
    onnx.save_model(model, str(made.path))
    import_visual(made.path, graph, preprocess=Preprocess(exports.SIZE, exports.MEAN, exports.STD))
    with pytest.raises(ConversionError, match="infinite embedding: a number inside it is too large for half precision"):
        convert(repository, "clip_visual", RknnConverter(rknn_toolkit, "rk3588"), print)
