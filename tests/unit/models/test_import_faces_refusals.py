"""What is no face network, or cannot be proved, is refused with a sentence that helps; the model that is served stays as it was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.graphs import patches, write_graph
from tests.support.real import REAL, needs_real
from tests.support.refused import refused
from triptych_server.models import surgery
from triptych_server.models.face_layouts import scales_bytes
from triptych_server.models.import_faces import import_detector, import_embedder


def changed(source: Path, target: Path, change: Callable[[onnx.ModelProto], Any]) -> Path:
    """A graph with something done to it."""
    model = onnx.load(str(source))
    change(model)
    onnx.save(model, str(target))
    return target


def weights_times(factor: float) -> Callable[[onnx.ModelProto], None]:
    """Multiply every weight of a convolution."""

    def change(model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            if len(tensor.dims) == 4:
                tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(factor), tensor.name))

    return change


def test_the_two_kinds_are_not_taken_for_each_other(face_export: Callable[[str], Any], target: Path) -> None:
    text = refused(lambda: import_detector(face_export("arcface").path, target), target)
    assert "not a face detector that can be imported: expected nine outputs, found 1" in text
    text = refused(lambda: import_embedder(face_export("scrfd").path, target), target)
    assert "not a face embedder that can be imported: expected one embedding" in text
    assert "SCRFD and RetinaFace detectors with nine outputs" in text


def test_a_detector_without_landmarks_is_told_what_for(face_export: Callable[[str], Any], tmp_path: Path, target: Path) -> None:
    from tests.support.face_exports import six_outputs

    source = six_outputs(tmp_path / "six.onnx")
    assert "without landmarks cannot serve, faces are aligned by them" in refused(lambda: import_detector(source, target), target)


@needs_real
def test_a_detector_with_other_outputs_is_told_what_it_has(target: Path) -> None:
    """YuNet as it was published: class and object scores apart."""
    text = refused(lambda: import_detector(REAL / "models" / "yunet_n_dynamic.onnx", target), target)
    assert "expected nine outputs, found 12" in text
    assert "`obj_32`" in text


def test_nine_outputs_of_other_shapes_are_shown(face_export: Callable[[str], Any], tmp_path: Path, target: Path) -> None:
    """Three strides with one, two and two anchors to a cell: nobody's layout."""

    def change(model: onnx.ModelProto) -> None:
        graph = model.graph
        score = graph.output[0].name
        node = next(node for node in graph.node if score in node.output)
        node.output[0] = "whole"
        graph.initializer.append(numpy_helper.from_array(np.array([0]), "first"))
        graph.initializer.append(numpy_helper.from_array(np.array([6400]), "half"))
        graph.node.append(helper.make_node("Slice", ["whole", "first", "half", "first"], [score]))
        graph.output[0].type.tensor_type.ClearField("shape")

    source = changed(face_export("scrfd").path, tmp_path / "odd.onnx", change)
    text = refused(lambda: import_detector(source, target), target)
    assert "one row for each anchor (6400, 1600, 400 cells)" in text
    assert "[6400, 1]" in text


def test_pictures_of_another_size_are_refused(face_export: Callable[[str], Any], tmp_path: Path, target: Path) -> None:
    def smaller(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.CopyFrom(
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 320, 320]).type.tensor_type.shape
        )

    source = changed(face_export("scrfd-640").path, tmp_path / "320.onnx", smaller)
    text = refused(lambda: import_detector(source, target), target)
    assert "takes pictures of 320 pixels, the server gives it 640" in text
    nodes, weights = patches()
    tower = write_graph(tmp_path / "tower.onnx", [*nodes, helper.make_node("Flatten", ["pooled"], ["embedding"])], weights=weights)
    assert "aligned faces of 112 pixels a side" in refused(lambda: import_embedder(tower, target), target)


def test_damaged_weights_are_refused(face_export: Callable[[str], Any], tmp_path: Path, target: Path) -> None:
    dead = changed(face_export("scrfd").path, tmp_path / "dead.onnx", weights_times(0))
    assert "the same boxes for different pictures" in refused(lambda: import_detector(dead, target), target)
    broken = changed(face_export("scrfd").path, tmp_path / "broken.onnx", weights_times(np.nan))
    assert "infinite boxes or scores" in refused(lambda: import_detector(broken, target), target)
    broken = changed(face_export("arcface").path, tmp_path / "broken.onnx", weights_times(np.nan))
    assert "damaged" in refused(lambda: import_embedder(broken, target), target)


def test_a_detector_whose_boxes_hang_on_its_neighbours_is_refused(face_export: Callable[[str], Any], tmp_path: Path, target: Path) -> None:
    def mix(model: onnx.ModelProto) -> None:
        graph = model.graph
        at = next(index for index, node in enumerate(graph.node) if "c1" in node.output)
        graph.node[at].output[0] = "c1_alone"
        graph.initializer.append(numpy_helper.from_array(np.array([0]), "rows"))
        graph.initializer.append(numpy_helper.from_array(np.array(0.9, np.float32), "most"))
        graph.node.insert(at + 1, helper.make_node("ReduceMean", ["c1_alone", "rows"], ["mean"], keepdims=1))
        graph.node.insert(at + 2, helper.make_node("Mul", ["mean", "most"], ["some"]))
        graph.node.insert(at + 3, helper.make_node("Sub", ["c1_alone", "some"], ["c1"]))

    source = changed(face_export("immich-v2-detector").path, tmp_path / "mixing.onnx", mix)
    text = refused(lambda: import_detector(source, target), target)
    assert "do not agree in batches of 2" in text
    assert "0.01" in text


def test_a_fixed_batch_that_cannot_be_set_free_is_refused_by_the_node(
    face_export: Callable[[str], Any], tmp_path: Path, target: Path
) -> None:
    def mix(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if node.op_type == "Conv")
        mixed = helper.make_node("ReduceMax", [node.output[0]], ["mixed"], axes=[0], keepdims=1, name="mixes")
        for other in model.graph.node:
            other.input[:] = ["mixed" if name == node.output[0] else name for name in other.input]
        model.graph.node.insert(list(model.graph.node).index(node) + 1, mixed)

    source = changed(face_export("scrfd").path, tmp_path / "mixing.onnx", mix)
    text = refused(lambda: import_detector(source, target), target)
    assert "'mixes'" in text
    assert "export it with a dynamic batch" in text


@pytest.mark.parametrize("name", ["scrfd", "arcface"])
def test_wrong_surgery_is_caught_before_the_target_is_touched(
    name: str, face_export: Callable[[str], Any], target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check is what stands between a mistake of ours and the faces of a library."""
    right = surgery.picture_scaling

    def wrong(source: str, to: str, mean: Any, std: Any, **options: Any) -> Any:
        return right(source, to, mean + 0.1, std, **options)

    load = import_detector if name == "scrfd" else import_embedder
    monkeypatch.setattr(surgery, "picture_scaling", wrong)
    assert "do not agree in batches of 1" in refused(lambda: load(face_export(name).path, target), target)
    monkeypatch.undo()
    load(face_export(name).path, target)
    assert onnx.load(str(target)).producer_name == "triptych"


def test_landmarks_and_boxes_are_both_proved(face_export: Callable[[str], Any], target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part of the decoding on its own: a wrong constant in any of them is seen."""
    import triptych_server.models.import_faces as module

    right = module.decode_nodes
    for part in ("boxes_8", "boxes_centres", "landmarks_32", "landmarks_centres"):

        def wrong(*args: Any, part: str = part, **options: Any) -> Any:
            nodes, constants = right(*args, **options)
            bad = next(tensor for tensor in constants if tensor.name == f"triptych::{part}")
            bad.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bad) + np.float32(0.05), bad.name))
            return nodes, constants

        monkeypatch.setattr(module, "decode_nodes", wrong)
        assert "do not agree in batches of 1" in refused(lambda: import_detector(face_export("scrfd").path, target), target)


@pytest.mark.parametrize("load", [import_detector, import_embedder])
def test_file_that_is_no_graph_is_refused(load: Callable[..., Any], tmp_path: Path, target: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"<html>404</html>")
    assert "pull the model again" in refused(lambda: load(tmp_path / "a.onnx", target), target)
    assert "pull the model again" in refused(lambda: load(tmp_path / "none.onnx", target), target)


FIRST_NODES: dict[str, tuple[list[str], dict[str, Any], bool]] = {
    "mxnet": (["Identity", "Sub a", "Mul b"], {"a": 127.5, "b": 0.0078125}, True),
    "division": (["Sub a", "Div b"], {"a": 127.5, "b": 128}, True),
    "per channel": (["Mul b", "Add a"], {"a": np.full((3, 1, 1), -1), "b": np.full((1, 3, 1, 1), 1 / 127.5)}, True),
    "back to bytes": (["Mul b", "Add a"], {"a": 127.5, "b": 128}, False),
    "another range": (["Mul b", "Sub a"], {"a": 0.1, "b": 2.2}, False),
    "arithmetic behind another node": (["Relu", "Sub a", "Mul b"], {"a": 127.5, "b": 0.01}, False),
}


@pytest.mark.parametrize("name", FIRST_NODES)
def test_graphs_that_scale_bytes_are_told_by_their_arithmetic(name: str, tmp_path: Path) -> None:
    steps, constants, expected = FIRST_NODES[name]
    weights = {key: np.array(value, np.float32) for key, value in constants.items()}
    nodes = []
    for index, step in enumerate(steps):
        op, *other = step.split()
        nodes.append(helper.make_node(op, [f"x{index}", *other], [f"x{index + 1}"]))
    given, made = ("x0", TensorProto.FLOAT, (1, 3, 4, 4)), (f"x{len(steps)}", (1, 3, 4, 4))
    path = write_graph(tmp_path / "a.onnx", nodes, weights=weights, inputs=[given], output=made)
    assert scales_bytes(onnx.load(str(path)).graph, "x0") is expected
