"""The batch is led through a graph by rules that are right for any batch, or not at all."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from tests.support.graphs import write_graph
from triptych_server.models.at_one import NotFoldableError
from triptych_server.models.batch import BatchNotFoundError, make_batch_dynamic
from triptych_server.models.batch_axis import BatchAxis, homes

node = helper.make_node
RANDOM = np.random.default_rng(0)


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def floats(*shape: int) -> NDArray[np.float32]:
    return RANDOM.normal(size=shape).astype(np.float32)


def check(tmp_path: Path, nodes: list[NodeProto], weights: dict[str, NDArray[Any]], shape: tuple[int, ...]) -> int:
    """Make the batch of a graph on `x` dynamic and compare batches of 1, 2 and 3 with the original row by row."""
    path = write_graph(tmp_path / "a.onnx", nodes, weights=weights, inputs=[("x", TensorProto.FLOAT, shape)], output=("y", (1, "d")))
    model = onnx.load(str(path))
    dim = onnxruntime.InferenceSession(str(path)).run(None, {"x": np.zeros(shape, np.float32)})[0].shape[-1]
    changed = make_batch_dynamic(model, {"x": np.zeros(shape, np.float32)}, {"y": (dim,)})
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    original, dynamic = onnxruntime.InferenceSession(str(path)), onnxruntime.InferenceSession(model.SerializeToString())
    for batch in (1, 2, 3):
        x = floats(batch, *shape[1:])
        rows = np.concatenate([original.run(None, {"x": row[None]})[0] for row in x])
        assert np.allclose(dynamic.run(None, {"x": x})[0], rows, atol=1e-5)
    return changed


GRAPHS: dict[str, tuple[list[NodeProto], dict[str, NDArray[Any]], tuple[int, ...]]] = {
    "reshape with a literal 1": ([node("Reshape", ["x", "s"], ["y"])], {"s": ints(1, 4)}, (1, 2, 2)),
    "reshape that hides the batch among heads": (
        [
            node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),  # [6,1,4]
            node("Reshape", ["t", "heads"], ["h"]),  # [6,2,2]: length, batch x heads, width
            node("Transpose", ["h"], ["a"], perm=[1, 0, 2]),
            node("Transpose", ["h"], ["b"], perm=[1, 2, 0]),
            node("MatMul", ["a", "b"], ["scores"]),
            node("Softmax", ["scores"], ["p"], axis=-1),
            node("MatMul", ["p", "a"], ["o"]),  # [2,6,2]
            node("Transpose", ["o"], ["ot"], perm=[1, 0, 2]),
            node("Reshape", ["ot", "flat"], ["f"]),  # [6,4]: length x batch, width
            node("MatMul", ["f", "w"], ["g"]),
            node("Reshape", ["g", "back"], ["r"]),  # [6,1,4]
            node("Gather", ["r", "first"], ["y"], axis=0),
        ],
        {"heads": ints(6, 2, 2), "flat": ints(6, 4), "back": ints(6, 1, 4), "w": floats(4, 4), "first": np.array(0)},
        (1, 6, 4),
    ),
    "batch squeezed away and put back": (
        [
            node("Squeeze", ["x", "zero"], ["s"]),
            node("MatMul", ["s", "w"], ["m"]),
            node("Gather", ["m", "last"], ["g"], axis=0),
            node("Unsqueeze", ["g", "zero"], ["y"]),
        ],
        {"zero": ints(0), "w": floats(4, 4), "last": np.array(-1)},
        (1, 3, 4),
    ),
    "row by an index of its own": (
        [
            node("ReduceSum", ["x", "two"], ["sums"], keepdims=0),
            node("ArgMax", ["sums"], ["best"], axis=1, keepdims=0),
            node("Squeeze", ["x", "zero"], ["rows"]),
            node("Gather", ["rows", "best"], ["y"], axis=0),
        ],
        {"zero": ints(0), "two": ints(2)},
        (1, 5, 4),
    ),
    "row by (0, index)": (
        [
            node("ReduceSum", ["x", "two"], ["sums"], keepdims=0),
            node("ArgMax", ["sums"], ["best"], axis=1, keepdims=1),
            node("Concat", ["nought", "best"], ["place"], axis=1),
            node("GatherND", ["x", "place"], ["y"]),
        ],
        {"nought": np.zeros((1, 1), np.int64), "two": ints(2)},
        (1, 5, 4),
    ),
    "table of one row, looked up by every text": (
        [
            node("ArgMax", ["x"], ["words"], axis=2, keepdims=0),
            node("GatherElements", ["table", "words"], ["y"], axis=1),
        ],
        {"table": floats(1, 8)},
        (1, 5, 4),
    ),
    "class token": (
        [
            node("Concat", ["token", "x"], ["c"], axis=1),
            node("Softmax", ["c"], ["s"], axis=1),
            node("Slice", ["s", "from", "to", "along"], ["f"]),
            node("ReduceMax", ["f"], ["y"], axes=[1], keepdims=0),
        ],
        {"token": floats(1, 1, 4), "from": ints(0, 1), "to": ints(1, 3), "along": ints(0, 1)},
        (1, 5, 4),
    ),
    "constant for each head": (
        [
            node("Reshape", ["x", "heads"], ["h"]),  # [2,3,4]: batch x heads
            node("MatMul", ["query", "h"], ["scores"]),
            node("Reshape", ["scores", "row"], ["y"]),
        ],
        {"heads": ints(2, 3, 4), "query": floats(2, 1, 3), "row": ints(1, 8)},
        (1, 2, 3, 4),
    ),
    "resize to a size that names the batch": (
        [
            node(
                "Resize",
                ["x", "", "", "twice"],
                ["larger"],
                mode="nearest",
                nearest_mode="floor",
                coordinate_transformation_mode="asymmetric",
            ),
            node("Resize", ["larger", "", "", "odd"], ["smaller"], mode="linear"),
            node("Reshape", ["smaller", "row"], ["y"]),
        ],
        {"twice": ints(1, 2, 4, 6), "odd": ints(1, 2, 3, 5), "row": ints(1, 30)},
        (1, 2, 2, 3),
    ),
    "shapes computed in the graph": (
        [
            node("Shape", ["x"], ["s"]),
            node("Gather", ["s", "zero"], ["b"]),
            node("Concat", ["b", "minus"], ["target"], axis=0),
            node("Reshape", ["x", "target"], ["y"]),
        ],
        {"zero": ints(0), "minus": ints(-1)},
        (1, 2, 2),
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_hidden_batch_is_set_free(name: str, tmp_path: Path) -> None:
    assert check(tmp_path, *GRAPHS[name]) > 0


@pytest.mark.parametrize(
    ("op", "attributes", "extra"),
    [
        ("Softmax", {"axis": 0}, []),
        ("CumSum", {}, ["zero"]),
        ("Concat", {"axis": 0}, ["other"]),
        ("ReduceMean", {"axes": [0], "keepdims": 1}, []),
        ("Sub", {}, ["fives"]),
        ("TopK", {"axis": -1}, ["one"]),
        ("Gemm", {}, ["square", "rows"]),
    ],
)
def test_node_that_mixes_rows_is_refused_and_the_model_left(op: str, attributes: dict[str, Any], extra: list[str], tmp_path: Path) -> None:
    weights: dict[str, NDArray[Any]] = {"zero": np.array(0), "other": floats(1, 4), "fives": floats(5, 4), "one": ints(4)}
    weights |= {"square": floats(4, 4), "rows": floats(1, 4), "fold": ints(1, -1)}
    if op == "Gemm":  # its rows are the batch only where nothing is transposed
        attributes = {"transA": 1}
        weights["square"] = floats(1, 4)
    outputs = ["m", "i"] if op == "TopK" else ["m"]
    nodes = [node(op, ["x", *extra], outputs, name="suspect", **attributes), node("Reshape", ["m", "fold"], ["y"])]
    path = write_graph(tmp_path / "a.onnx", nodes, weights=weights, inputs=[("x", TensorProto.FLOAT, (1, 4))], output=("y", (1, "d")))
    model = onnx.load(str(path))
    before = model.SerializeToString(deterministic=True)
    with pytest.raises(BatchNotFoundError, match=f"'suspect': {op}"):
        make_batch_dynamic(model, {"x": np.ones((1, 4), np.float32)}, {"y": (4,)})
    assert model.SerializeToString(deterministic=True) == before


def test_control_flow_is_refused(tmp_path: Path) -> None:
    branch = helper.make_graph([node("Neg", ["x"], ["n"])], "then", [], [helper.make_tensor_value_info("n", TensorProto.FLOAT, None)])
    nodes = [node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)]
    path = write_graph(
        tmp_path / "a.onnx", nodes, weights={"yes": np.array(True)}, inputs=[("x", TensorProto.FLOAT, (1, 4))], output=("y", (1, 4))
    )
    with pytest.raises(NotFoldableError, match="If"):
        make_batch_dynamic(onnx.load(str(path)), {"x": np.ones((1, 4), np.float32)}, {"y": (4,)})


@pytest.mark.parametrize(
    ("shape", "before", "found"),
    [
        ((1, 50, 768), 1, BatchAxis(0)),
        ((50, 1, 768), 50, BatchAxis(1)),
        ((50, 12, 64), 50, BatchAxis(1, 1, 12)),  # length, batch x heads, width
        ((12, 50, 64), 1, BatchAxis(0, 1, 12)),
        ((1, 12, 50, 64), 1, BatchAxis(0)),
    ],
)
def test_likeliest_home_of_the_batch_comes_first(shape: tuple[int, ...], before: int, found: BatchAxis) -> None:
    assert next(iter(homes(shape, before))) == found


def test_homes_hold_the_rows_before_the_batch() -> None:
    assert set(homes((50, 768), 50)) == {BatchAxis(0, 50, 1), BatchAxis(1, 1, 768)}
    assert list(homes((7, 5), 3)) == []


def test_rows_with_the_batch_flattened_into_them_get_an_axis_for_it(tmp_path: Path) -> None:
    """Two heads [1,C,H,W] whose maps are flattened to rows of their own, as detectors' exporters write them."""
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]),
        node("Reshape", ["t", "pairs"], ["y"]),  # [12,2], two to a cell
        node("Neg", ["y"], ["z"]),
    ]
    path = write_graph(
        tmp_path / "a.onnx", nodes, weights={"pairs": ints(-1, 2)}, inputs=[("x", TensorProto.FLOAT, (1, 4, 2, 3))], output=("y", ("r", 2))
    )
    model = onnx.load(str(path))
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["r", 2]))
    original = onnxruntime.InferenceSession(model.SerializeToString())
    make_batch_dynamic(model, {"x": np.zeros((1, 4, 2, 3), np.float32)}, {"y": (12, 2), "z": (12, 2)})
    for output in model.graph.output:
        output.CopyFrom(helper.make_tensor_value_info(output.name, TensorProto.FLOAT, ["batch", 12, 2]))
    x = floats(3, 4, 2, 3)
    for found, rows in zip(
        onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x}),
        zip(*[original.run(None, {"x": row[None]}) for row in x], strict=True),
        strict=True,
    ):
        assert np.array_equal(found, np.stack(rows))


def test_output_in_which_the_batch_is_not_outermost_is_refused(tmp_path: Path) -> None:
    nodes = [node("Transpose", ["x"], ["t"], perm=[2, 3, 0, 1]), node("Reshape", ["t", "pairs"], ["y"], name="rows")]
    path = write_graph(
        tmp_path / "a.onnx", nodes, weights={"pairs": ints(-1, 2)}, inputs=[("x", TensorProto.FLOAT, (1, 4, 2, 3))], output=("y", ("r", 2))
    )
    with pytest.raises(BatchNotFoundError, match="'rows': Reshape"):
        make_batch_dynamic(onnx.load(str(path)), {"x": np.zeros((1, 4, 2, 3), np.float32)}, {"y": (12, 2)})
