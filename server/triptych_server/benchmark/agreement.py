"""Accuracy beside speed: what a served network answers, against the same graph in onnxruntime in f32 on the same input."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient import grpc
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from triptych_server.benchmark.results import Agreement
from triptych_server.repository import Repository

SAMPLES = 8
CROP = 112
TEXTS = ("a dog on the beach", "two red boats at night", "birthday cake with candles", "a forest in the snow")
NETWORKS = {  # a network: the step whose pixels or tokens it is given
    "clip_visual": "clip_preprocess",
    "clip_textual": "clip_tokenize",
    "face_recognition": "face_preprocess",
}


def agreements(
    url: str, networks: Sequence[str], repository: Repository | None, jpegs: Sequence[bytes]
) -> tuple[list[Agreement], list[str]]:
    """Compare the embeddings of those networks that give one; the second list says what was not compared, and why. `url` is host:port."""
    if repository is None:
        return [], ["Agreement with f32: the graphs of this server are not at hand; --repository names the folder they are in."]
    found, left_out = list[Agreement](), list[str]()
    with grpc.InferenceServerClient(url) as client:
        for network in networks:
            graph = repository.model(network) / "1" / "model.onnx"
            if network not in NETWORKS:
                left_out.append(f"Agreement of {network} with f32: it gives no embedding.")
            elif not graph.is_file():
                left_out.append(f"Agreement of {network} with f32: its graph is not in the repository.")
            else:
                try:
                    given = _inputs(client, network, jpegs[:SAMPLES])
                    found.append(_compare(client, network, given, str(graph)))
                except InferenceServerException as error:
                    left_out.append(f"Agreement of {network} with f32: {error.message()}")
    return found, left_out


def cosines(ours: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float64]:
    """Row by row of [N,D] and [N,D]."""
    a, b = ours.astype(np.float64), reference.astype(np.float64)
    scale = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    result: NDArray[np.float64] = (a * b).sum(axis=1) / scale
    return result


def _compare(client: Any, network: str, given: NDArray[Any], graph: str) -> Agreement:
    import onnxruntime  # heavy

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    name, output = session.get_inputs()[0].name, session.get_outputs()[0].name
    alike = cosines(
        np.concatenate([_infer(client, network, {name: row[None]}, output) for row in given]),
        np.concatenate([session.run([output], {name: row[None]})[0] for row in given]),
    )
    return Agreement(network, len(given), float(alike.min()), float(alike.mean()))


def _inputs(client: Any, network: str, jpegs: Sequence[bytes]) -> NDArray[Any]:
    """What the step in front of it makes of the photos or texts."""
    step = NETWORKS[network]
    if network == "clip_textual":
        return np.concatenate([_infer(client, step, {"text": _string(text.encode())}, "tokens") for text in TEXTS])
    pixels: NDArray[Any] = np.concatenate([_infer(client, step, {"image": _string(jpeg)}, "pixels") for jpeg in jpegs])
    crop = slice(CROP, 2 * CROP)
    return pixels[:, crop, crop] if network == "face_recognition" else pixels  # any pixels show what a precision changes


def _string(value: bytes) -> NDArray[np.object_]:
    return np.array([[value]], dtype=np.object_)


def _infer(client: Any, model: str, tensors: dict[str, NDArray[Any]], output: str) -> NDArray[Any]:
    inputs = []
    for name, value in tensors.items():
        made = grpc.InferInput(name, list(value.shape), np_to_triton_dtype(value.dtype))
        made.set_data_from_numpy(value)
        inputs.append(made)
    answer: NDArray[Any] = client.infer(model, inputs).as_numpy(output)
    return answer
