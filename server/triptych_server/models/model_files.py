"""Which files of a hub's repository are fetched: the networks for ONNX runtimes, their weights, and the texts beside them."""

from pathlib import PurePosixPath

FOLDERS = ("visual", "textual", "detection", "recognition")
PAIRS = (("visual/model.onnx", "textual/model.onnx"), ("detection/model.onnx", "recognition/model.onnx"))
"""A CLIP's two networks, and a face pack's."""

_OTHER_RUNTIMES = (".armnn", ".rknn", ".anncache", ".engine", ".tflite", ".mlmodel", ".mlpackage")
_NOT_MODEL = (".md", ".png", ".jpg", ".gitattributes", ".gitignore")


def is_needed(path: str) -> bool:
    """Whether a file belongs to the model as ONNX: any of the networks' folders that is not for another runtime, for external
    weights may have any name (model.onnx.data, model.safetensors, onnx__MatMul_123); and JSON at the top."""
    name = PurePosixPath(path)
    if not is_safe(path) or name.name.startswith(".") or name.suffix.lower() in (*_OTHER_RUNTIMES, *_NOT_MODEL):
        return False
    if len(name.parts) == 1:
        return name.suffix == ".json"
    return name.parts[0] in FOLDERS and "rknpu" not in name.parts


def is_safe(path: str) -> bool:
    """Whether a path stays inside the folder that it is put into."""
    name = PurePosixPath(path)
    return bool(name.parts) and not name.is_absolute() and ".." not in name.parts and "\\" not in path and ":" not in path


def lacks(paths: set[str]) -> str | None:
    """What is missing for these files to be a model: None, or a part of a sentence."""
    if any(paths.issuperset(pair) for pair in PAIRS):
        return None
    return f"holds neither {PAIRS[0][0]} and {PAIRS[0][1]} (a CLIP) nor {PAIRS[1][0]} and {PAIRS[1][1]} (a face pack)"
