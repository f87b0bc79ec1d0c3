"""The real face models served, requests to them, and the numbers that the tests of faces compare."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as triton_grpc

from tests.support.real import REAL
from triptych_server.engine import Engine
from triptych_server.models.use_faces import use_faces
from triptych_server.repository import Repository

OUTPUTS = ("boxes", "landmarks", "scores", "embeddings", "size")
TYPES = {"min_score": ("FP32", np.float32), "max_faces": ("INT32", np.int32)}


@dataclass(frozen=True)
class Known:
    """A face of the reference run, in pixels of the upright photo."""

    photo: str
    person: str | None
    box: Any
    landmarks: Any
    embedding: Any


def serve_real_faces(repository: Repository, scratch: Path) -> None:
    """Import YuNet and MobileFaceNet, laid out as a face pack, into `repository`."""
    for part, model in (("detection", "yunet_n_scrfd_io"), ("recognition", "mobilefacenet_arcface_128")):
        (scratch / part).mkdir(parents=True)
        shutil.copyfile(REAL / "models" / f"{model}.onnx", scratch / part / "model.onnx")
    use_faces(scratch, repository)


def expected() -> dict[str, list[Known]]:
    """The faces of expected.json by photo; a photo without faces has an empty list."""
    photos = json.loads((REAL / "expected.json").read_text())["photos"]
    return {
        name: [Known(name, face.get("person"), *(np.array(face[key]) for key in ("bbox", "kps", "embedding"))) for face in photo["faces"]]
        for name, photo in photos.items()
    }


def photo(name: str) -> bytes:
    return (REAL / "photos" / name).read_bytes()


def tensors(data: bytes, module: Any = triton_grpc, **options: Any) -> list[Any]:
    """The inputs of one request; an option is a number, or an array that is sent as it is."""
    image = module.InferInput("image", [1, 1], "BYTES")
    image.set_data_from_numpy(np.array([[data]], dtype=object))
    inputs = [image]
    for name, value in options.items():
        kind, dtype = TYPES[name]
        array = value if isinstance(value, np.ndarray) else np.array([[value]], dtype)
        inputs.append(module.InferInput(name, list(array.shape), kind))
        inputs[-1].set_data_from_numpy(array)
    return inputs


def ask(client: Any, data: bytes, model: str = "faces", outputs: tuple[str, ...] = OUTPUTS, **options: Any) -> dict[str, Any]:
    """The outputs of one request without their batch axis, which must be 1."""
    wanted = [triton_grpc.InferRequestedOutput(name) for name in outputs]
    answer = client.infer(model, tensors(data, **options), outputs=wanted)
    arrays = {name: answer.as_numpy(name) for name in outputs}
    assert all(len(array) == 1 for array in arrays.values())
    return {name: array[0] for name, array in arrays.items()}


def connect(engine: Engine) -> Any:
    return triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://"))


def iou(a: Any, b: Any) -> float:
    """Of two boxes."""
    shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return float(shared / (sum(areas) - shared))


def matched(found: dict[str, Any], known: list[Known]) -> Iterator[tuple[int, Known, float]]:
    """For every known face the row of the found one that lies best, and their IoU (0 where none was found)."""
    for face in known:
        overlaps = [iou(box, face.box) for box in found["boxes"]] or [0.0]
        best = int(np.argmax(overlaps))
        yield best, face, overlaps[best]
