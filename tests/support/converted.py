"""Converted networks behind the real Triton, against the served graphs and against the plain-CPU profile."""

from io import BytesIO
from typing import Any

import numpy as np
import tritonclient.grpc as triton_grpc
from numpy.typing import NDArray

from demo.faces.album import people_photos
from demo.people import draw_group
from demo.scenes import EVALUATION_SEEDS, caption, draw, sample
from tests.support.drawn import encode
from tests.support.faces import connect
from triptych_server.engine import Engine
from triptych_server.models.sessions import open_session
from triptych_server.repository import Repository

Outputs = dict[str, NDArray[np.float32]]


def original(repository: Repository, network: str, rows: NDArray[np.uint8]) -> Outputs:
    """What the served graph gives, in float32."""
    session = open_session(repository.model(network) / "1" / "model.onnx")
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": rows}), strict=True))


def infer(client: Any, network: str, rows: NDArray[np.uint8]) -> Outputs:
    """What a network gives."""
    tensor = triton_grpc.InferInput("image", rows.shape, "UINT8")
    tensor.set_data_from_numpy(rows)
    answer = client.infer(network, [tensor])
    return {output.name: answer.as_numpy(output.name) for output in answer.get_response().outputs}


def agree(found: Outputs, wanted: Outputs, *, cosine: float, pixels: float, score: float) -> None:
    """Embeddings of unit length and at least this close; boxes, landmarks and scores at most this far apart."""
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert (found[name].shape, found[name].dtype) == (array.shape, np.float32)
        if name == "embedding":
            assert (found[name] * array).sum(-1).min() >= cosine
            assert np.abs(np.linalg.norm(found[name], axis=-1) - 1).max() < 1e-5
        else:
            assert np.abs(found[name] - array).max() <= (score if name == "scores" else pixels), name


def captions_find_their_pictures(engine: Engine, cpu: Engine, *, cosine: float) -> None:
    """Twelve scenes through the ensembles: pictures as the processor sees them, and each nearest to its own caption."""
    scenes = [sample(seed) for seed in EVALUATION_SEEDS[:12]]
    jpegs = [encode(draw(scene, (480, 360)), "jpeg") for scene in scenes]
    images = _embed(engine, jpegs, "search_image", "image")
    assert (images * _embed(cpu, jpegs, "search_image", "image")).sum(-1).min() >= cosine
    texts = _embed(engine, [caption(scene).encode() for scene in scenes], "search_text", "text")
    assert ((images @ texts.T).argmax(-1) == np.arange(len(scenes))).mean() >= 0.9


def group_photos(count: int) -> list[bytes]:
    """JPEGs of drawn people."""
    photos = []
    for photo in people_photos(count):
        data = BytesIO()
        draw_group(photo.group, photo.size)[0].convert("RGB").save(data, "JPEG", quality=90)
        photos.append(data.getvalue())
    return photos


def _embed(engine: Engine, values: list[bytes], model: str, name: str) -> NDArray[np.float32]:
    tensor = triton_grpc.InferInput(name, [len(values), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[value] for value in values], dtype=object))
    with connect(engine) as client:
        embedding: NDArray[np.float32] = client.infer(model, [tensor]).as_numpy("embedding")
    return embedding
