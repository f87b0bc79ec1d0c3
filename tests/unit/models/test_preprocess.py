"""The preprocessing is read from the files beside a graph, in OpenCLIP's or Hugging Face's words."""

import json
from pathlib import Path
from typing import Any

import pytest

from triptych_server.errors import ModelImportError
from triptych_server.models.preprocess import OPENAI_MEAN, OPENAI_STD, Preprocess, read_preprocess


def write(folder: Path, **files: Any) -> Path:
    names = {"config": "config.json", "visual": "visual/preprocess_cfg.json", "huggingface": "preprocessor_config.json"}
    for name, content in files.items():
        path = folder / names[name]
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_openclip_file_is_read(tmp_path: Path) -> None:
    said = {"size": [384, 384], "mode": "RGB", "mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bilinear", "resize_mode": "squash"}
    found = read_preprocess(write(tmp_path, visual={**said, "fill_color": 0}))
    assert found == Preprocess(384, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bilinear", "squash")


def test_defaults_are_openclips() -> None:
    assert read_preprocess(Path("/nonexistent")) == Preprocess(224, OPENAI_MEAN, OPENAI_STD, "bicubic", "shortest")


def test_preprocess_file_goes_before_config(tmp_path: Path) -> None:
    config = {"vision_cfg": {"image_size": 256, "image_mean": [0.1, 0.2, 0.3]}}
    assert read_preprocess(write(tmp_path, config=config)).size == 256
    found = read_preprocess(write(tmp_path, visual={"size": 288, "mean": None}))
    assert (found.size, found.mean) == (288, (0.1, 0.2, 0.3))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            {"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}, "do_center_crop": True, "resample": 3},
            Preprocess(224),
        ),
        ({"size": 336, "crop_size": 336, "resample": 2}, Preprocess(336, interpolation="bilinear")),
        (
            {"size": {"height": 256, "width": 256}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3},
            Preprocess(256, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bicubic", "squash"),
        ),
    ],
)
def test_huggingface_file_is_read(said: dict[str, Any], expected: Preprocess, tmp_path: Path) -> None:
    assert read_preprocess(write(tmp_path, huggingface=said)) == expected


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"size": [224, 336]}, "square"),
        ({"size": "large"}, "numbers"),
        ({"size": 4}, "16 to 4096"),
        ({"std": [0.2, 0, 0.2]}, "above 0"),
        ({"mean": [0.5]}, "three numbers"),
        ({"resize_mode": "longest"}, "shortest or squash"),
        ({"interpolation": "nearest"}, "bicubic or bilinear"),
        ({"mode": "L"}, "RGB"),
        ("{", "JSON"),
        ("[]", "JSON"),
    ],
)
def test_values_that_no_model_can_mean_are_refused(said: Any, word: str, tmp_path: Path) -> None:
    with pytest.raises(ModelImportError, match=word):
        read_preprocess(write(tmp_path, visual=said))
