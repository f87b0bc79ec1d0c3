"""What a model wants done to a picture before it sees it, read from the files beside the graph."""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from triptych_server.errors import ModelImportError
from triptych_server.json_text import read_json

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)

ResizeMode = Literal["shortest", "squash"]
Interpolation = Literal["bicubic", "bilinear"]


@dataclass(frozen=True, slots=True)
class Preprocess:
    """Side `size` in pixels; `mean` and `std` per RGB channel on a scale of 0 to 1; how the picture is brought to a square.

    The defaults are OpenCLIP's. Raises ModelImportError for values that no model can mean.
    """

    size: int = 224
    mean: tuple[float, float, float] = OPENAI_MEAN
    std: tuple[float, float, float] = OPENAI_STD
    interpolation: Interpolation = "bicubic"
    resize_mode: ResizeMode = "shortest"

    def __post_init__(self) -> None:
        if not 16 <= self.size <= 4096:
            raise ModelImportError(f"the picture size is {self.size}; expected 16 to 4096 pixels")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != 3 or not all(isfinite(value) for value in values):
                raise ModelImportError(f"{name} is {list(values)}; expected three numbers, one per RGB channel")
        if min(self.std) <= 0:
            raise ModelImportError(f"std is {list(self.std)}; expected numbers above 0")
        if self.interpolation not in ("bicubic", "bilinear"):
            raise ModelImportError(f"interpolation is {self.interpolation!r}; expected bicubic or bilinear")
        if self.resize_mode not in ("shortest", "squash"):
            raise ModelImportError(f"resize_mode is {self.resize_mode!r}; expected shortest or squash")


def read_preprocess(model: Path) -> Preprocess:
    """The preprocessing of a model folder: `visual/preprocess_cfg.json` (OpenCLIP's words), then Hugging Face's
    `preprocessor_config.json`, then `vision_cfg` in `config.json`; what none of them says is OpenCLIP's default.

    Sizes may be a number or [height, width], which must be equal. Raises ModelImportError for files that cannot be understood.
    """
    vision = _read(model / "config.json").get("vision_cfg") or {}
    if not isinstance(vision, dict):
        raise ModelImportError("config.json: vision_cfg is no object")
    names = {"size": "image_size", "mean": "image_mean", "std": "image_std"}
    names |= {"interpolation": "image_interpolation", "resize_mode": "image_resize_mode"}
    said = {name: vision[key] for name, key in names.items() if vision.get(key) is not None}
    said |= _huggingface(_read(model / "preprocessor_config.json"))
    said |= {key: value for key, value in _read(model / "visual" / "preprocess_cfg.json").items() if value is not None}
    if said.get("mode", "RGB") != "RGB":
        raise ModelImportError(f"the model wants pictures in mode {said['mode']!r}; only RGB can be served")
    fields: dict[str, Any] = {name: said[name] for name in ("interpolation", "resize_mode") if name in said}
    try:
        if "size" in said:
            fields["size"] = _side(said["size"])
        fields |= {name: tuple(float(value) for value in said[name]) for name in ("mean", "std") if name in said}
    except (TypeError, ValueError) as error:
        raise ModelImportError("the preprocessing files of the model: expected numbers for size, mean and std") from error
    return Preprocess(**fields)


def _huggingface(config: dict[str, Any]) -> dict[str, Any]:
    """Hugging Face's words for the same: a shortest edge and a centre crop, or a height and width to squash to."""
    if not config:
        return {}
    if not config.get("do_normalize", True):
        raise ModelImportError(
            "preprocessor_config.json: do_normalize is off; set image_mean and image_std to what the model was trained with"
        )
    size, crop = config.get("size"), config.get("crop_size")
    cropped = bool(config.get("do_center_crop", crop is not None))
    side = crop if cropped and crop is not None else size
    if isinstance(side, dict):
        side = [side["height"], side.get("width")] if "height" in side else side.get("shortest_edge")
    interpolation = {2: "bilinear", 3: "bicubic"}.get(config.get("resample", 3), f"PIL's {config.get('resample')}")
    said = {"size": side, "mean": config.get("image_mean"), "std": config.get("image_std")}
    said |= {"interpolation": interpolation, "resize_mode": "shortest" if cropped else "squash"}
    return {name: value for name, value in said.items() if value is not None}


def _side(size: object) -> int:
    sides = [int(side) for side in size] if isinstance(size, list) else [int(str(size))]
    if not sides or len(set(sides)) != 1:
        raise ModelImportError(f"the picture size is {sides}; only square pictures can be served")
    return sides[0]


def _read(path: Path) -> dict[str, Any]:
    """A JSON object, or {} where there is no such file."""
    try:
        content = read_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelImportError(f"{path.name} cannot be read as JSON; pull the model again") from error
    if not isinstance(content, dict):
        raise ModelImportError(f"{path.name} holds no JSON object; pull the model again")
    return content
