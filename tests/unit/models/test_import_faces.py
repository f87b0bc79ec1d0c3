"""Every layout of face networks becomes the one served form and gives what torch gives, in any batch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.real import REAL, needs_real
from triptych_server.models.import_faces import import_detector, import_embedder

DETECTORS = [
    "scrfd", "scrfd-640", "scrfd-one-anchor", "scrfd-logits", "scrfd-open-batch", "scrfd-flat-open-batch", "scrfd-dynamo",
    "retinaface-scaled", "immich-v2-detector",
]  # fmt: skip
EMBEDDERS = ["arcface", "arcface-open-batch", "arcface-dynamo", "arcface-scaled", "arcface-normalised", "immich-v2-embedder"]


def served(target: Path, given: list[Any], made: dict[str, list[Any]]) -> onnxruntime.InferenceSession:
    """A session of the served graph, once its contract has been checked."""
    graph = onnx.load(str(target)).graph
    shapes = [[dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in (*graph.input, *graph.output)]
    types = [value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)]
    assert ([value.name for value in graph.input], shapes[0], types[0]) == (["image"], ["batch", *given], TensorProto.UINT8)
    assert {value.name: shape for value, shape in zip(graph.output, shapes[1:], strict=True)} == {
        name: ["batch", *shape] for name, shape in made.items()
    }
    assert set(types[1:]) == {TensorProto.FLOAT}
    return onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])


def detector_agrees(target: Path, rows: Any, expected: tuple[Any, ...], anchors: int, pixels: float, score: float = 1e-4) -> None:
    """The contract, and every anchor against (boxes, scores, landmarks) in batches of 1, 2 and 5."""
    session = served(target, [640, 640, 3], {"boxes": [anchors, 4], "scores": [anchors], "landmarks": [anchors, 5, 2]})
    boxes, scores, landmarks = expected
    assert abs(boxes[0] - boxes[1]).max() > 1, "the reference hardly tells its pictures apart, so the test would prove nothing"
    assert scores.std() > 0.05
    assert scores.min() >= 0
    assert scores.max() <= 1
    for batch in (1, 2, 5):
        for at in range(0, 6 - batch, batch):
            here = slice(at, at + batch)
            found = session.run(["boxes", "scores", "landmarks"], {"image": rows[here]})
            assert abs(found[0] - boxes[here]).max() <= pixels
            assert abs(found[1] - scores[here]).max() <= score
            assert abs(found[2] - landmarks[here]).max() <= pixels


@pytest.mark.parametrize("name", DETECTORS)
def test_detector_agrees_with_torch_in_any_batch(name: str, face_export: Callable[[str], Any], tmp_path: Path) -> None:
    from tests.support.face_exports import pictures

    made = face_export(name)
    report = import_detector(made.path, tmp_path / "model.onnx")
    rows = pictures(5, 640)
    anchors = 8400 * made.per_cell
    detector_agrees(tmp_path / "model.onnx", rows, made.reference(rows), anchors, pixels=0.01)
    assert (report.layout, report.size, report.anchors, report.per_cell) == (made.layout, 640, anchors, made.per_cell)
    assert report.sigmoid == made.sigmoid
    assert report.apart_pixels <= 0.01
    assert report.apart_score <= 1e-4


@pytest.mark.parametrize("name", EMBEDDERS)
def test_embedder_agrees_with_torch_in_any_batch(name: str, face_export: Callable[[str], Any], tmp_path: Path) -> None:
    from tests.support.face_exports import DIM, pictures

    made = face_export(name)
    report = import_embedder(made.path, tmp_path / "model.onnx")
    session = served(tmp_path / "model.onnx", [112, 112, 3], {"embedding": [DIM]})
    rows = pictures(5, 112)
    expected = made.reference(rows)
    assert (expected @ expected.T - np.eye(5)).max() < 0.999, "the reference hardly tells its faces apart"
    for batch in (1, 2, 5):
        found = np.concatenate([session.run(None, {"image": rows[at : at + batch]})[0] for at in range(0, 6 - batch, batch)])
        assert np.linalg.norm(found, axis=-1) == pytest.approx(1, abs=1e-5)
        assert (found * expected[: len(found)]).sum(-1).min() >= 0.99999
    assert (report.layout, report.size, report.dim) == (made.layout, 112, DIM)
    assert report.normalised == (name in ("arcface-normalised", "immich-v2-embedder"))
    assert report.cosine >= 0.99999


def test_every_export_is_tested(face_export: Callable[[str], Any]) -> None:
    from tests.support import face_exports

    assert (list(face_exports.DETECTORS), list(face_exports.EMBEDDERS)) == (DETECTORS, EMBEDDERS)


def test_served_detector_is_lean(face_export: Callable[[str], Any], tmp_path: Path) -> None:
    """No Shape, no chain that computes sizes, one Transpose for each head: the batch is kept first, not sorted out of the rows."""
    import_detector(face_export("scrfd").path, tmp_path / "model.onnx")
    graph = onnx.load(str(tmp_path / "model.onnx")).graph
    ops = [node.op_type for node in graph.node]
    assert ops[:4] == ["Transpose", "Cast", "Mul", "Add"]
    assert not {"Shape", "Gather", "Slice", "Unsqueeze", "Identity"} & set(ops)
    assert ops.count("Transpose") == 1 + 9
    assert [list(a.ints) for n in graph.node if n.op_type == "Transpose" for a in n.attribute] == [[0, 3, 1, 2]] + [[0, 2, 3, 1]] * 9
    read = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} <= read


def test_served_graphs_say_where_they_come_from(face_export: Callable[[str], Any], tmp_path: Path) -> None:
    from hashlib import sha256

    for load, name in ((import_detector, "scrfd"), (import_embedder, "arcface")):
        source = face_export(name).path
        report = load(source, tmp_path / name / "model.onnx")
        model = onnx.load(str(tmp_path / name / "model.onnx"))
        digest = sha256(source.read_bytes()).hexdigest()
        assert {entry.key: entry.value for entry in model.metadata_props} == {"triptych.layout": name, "triptych.source_sha256": digest}
        assert (model.producer_name, report.source_sha256, report.opset) == ("triptych", digest, 17)


def test_open_batch_that_cannot_be_followed_is_left_and_rows_get_their_batch(face_export: Callable[[str], Any], tmp_path: Path) -> None:
    """An operator without a rule, in a graph that gives the rows of all pictures below each other."""
    from tests.support.face_exports import WIDTH, pictures

    made = face_export("immich-v2-detector")
    model = onnx.load(str(made.path))
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.name.endswith(".s"):
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[1:], tensor.name))
    for value in graph.output:
        del value.type.tensor_type.shape.dim[0]
    at = next(index for index, node in enumerate(graph.node) if "c1" in node.output)
    graph.node[at].output[0] = "c1_before"
    graph.initializer.append(numpy_helper.from_array(np.eye(WIDTH, dtype=np.float32), "same"))
    graph.node.insert(at + 1, helper.make_node("Einsum", ["c1_before", "same"], ["c1"], equation="bchw,cd->bdhw"))
    onnx.save(model, str(tmp_path / "flat.onnx"))
    report = import_detector(tmp_path / "flat.onnx", tmp_path / "model.onnx")
    assert report.rewritten == 0
    rows = pictures(5, 640)
    detector_agrees(tmp_path / "model.onnx", rows, made.reference(rows), 16800, pixels=0.01)


def test_half_precision_is_served_as_float(face_export: Callable[[str], Any], tmp_path: Path) -> None:
    from tests.support.face_exports import half_precision, pictures

    made = face_export("scrfd-640")
    report = import_detector(half_precision(tmp_path / "half.onnx"), tmp_path / "model.onnx")
    rows = pictures(5, 640)
    detector_agrees(tmp_path / "model.onnx", rows, made.reference(rows), report.anchors, pixels=0.5, score=0.02)


@needs_real
def test_yunet_with_the_io_of_scrfd_agrees_with_its_original(tmp_path: Path) -> None:
    """Trained weights on a real photo: every anchor, and the faces that are there."""
    from PIL import Image

    from tests.support.face_exports import STRIDES, decode

    source = REAL / "models" / "yunet_n_scrfd_io.onnx"
    report = import_detector(source, tmp_path / "model.onnx")
    original = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    rows = np.zeros((5, 640, 640, 3), np.uint8)
    names = ("group_sts106_crew", "altman_portrait", "noface_coffee", "lu_portrait", "whitson_portrait")
    for row, name in zip(rows, names, strict=True):
        photo = Image.open(REAL / "photos" / f"{name}.jpg").convert("RGB")
        photo.thumbnail((640, 640))
        row[: photo.height, : photo.width] = np.asarray(photo)
    maps = original.run(None, {"input.1": (rows.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 128})
    sides = [640 // stride for stride in STRIDES] * 3
    channels = [kind * report.per_cell for kind in (1, 1, 1, 4, 4, 4, 10, 10, 10)]
    rows_of_maps = [one.reshape(5, side, side, count).transpose(0, 3, 1, 2) for one, side, count in zip(maps, sides, channels, strict=True)]
    expected = decode(rows_of_maps, report.per_cell)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    for batch in (1, 2, 5):
        found = session.run(["boxes", "scores", "landmarks"], {"image": rows[:batch]})
        assert abs(found[0] - expected[0][:batch]).max() <= 0.01
        assert abs(found[1] - expected[1][:batch]).max() <= 1e-3  # a square root near 0 makes the last bit of a net this large
        assert abs(found[2] - expected[2][:batch]).max() <= 0.01
    assert [bool(scores.max() > 0.7) for scores in expected[1]] == [True, True, False, True, True]


@needs_real
def test_mobilefacenet_agrees_with_its_original(tmp_path: Path) -> None:
    """It begins with a Mul and an Add that are no scaling of bytes, so it has to be given -1 to 1."""
    from tests.support.face_exports import pictures

    source = REAL / "models" / "mobilefacenet_arcface_128.onnx"
    report = import_embedder(source, tmp_path / "model.onnx")
    assert (report.layout, report.dim) == ("arcface", 128)
    rows = pictures(5, 112)
    feed = (rows.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 127.5
    [expected] = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"]).run(None, {"input": feed})
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    [found] = onnxruntime.InferenceSession(str(tmp_path / "model.onnx")).run(None, {"image": rows})
    assert (found * expected).sum(-1).min() >= 0.99999
