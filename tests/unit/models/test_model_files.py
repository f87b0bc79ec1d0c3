"""Which files of a hub's repository are pulled."""

import pytest

from triptych_server.models.model_files import is_needed, is_safe


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("config.json", True),
        ("visual/model.onnx", True),
        ("visual/model.onnx.data", True),
        ("textual/model.safetensors", True),
        ("textual/sentencepiece.bpe.model", True),
        ("visual/onnx__MatMul_12", True),
        ("visual/model.armnn", False),
        ("visual/rknpu/rk3588/model.rknn", False),
        ("visual/rknpu/rk3588/notes.txt", False),
        ("model.onnx", False),
        ("README.md", False),
        ("visual/.gitattributes", False),
        ("ocr/model.onnx", False),
        ("visual/../../evil.onnx", False),
        ("/visual/model.onnx", False),
        ("visual\\..\\model.onnx", False),
    ],
)
def test_which_files_are_needed(path, wanted):
    assert is_needed(path) is wanted


@pytest.mark.parametrize(("path", "safe"), [("a/b", True), ("../a", False), ("/a", False), ("", False), ("c:/a", False)])
def test_which_paths_stay_inside(path, safe):
    assert is_safe(path) is safe
