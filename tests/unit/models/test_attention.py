"""Attention written out gives what onnxruntime's own kernel gives."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from triptych_server.models.attention import decompose_attention
from triptych_server.models.sessions import open_session

ROWS, WIDTH, HEADS = 7, 24, 3


def attention(queries=ROWS, mask=None, inputs=(), **attributes):
    """A graph of one Attention over x [B,queries,WIDTH] and y [B,ROWS,WIDTH]."""
    constants = [numpy_helper.from_array(mask, "mask")] if mask is not None else []
    given = ["x", "y", "y", *(["mask"] if mask is not None else []), *inputs]
    node = helper.make_node("Attention", given, ["out"], **{"q_num_heads": HEADS, "kv_num_heads": HEADS, **attributes})
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", rows, WIDTH]) for n, rows in (("x", queries), ("y", ROWS))]
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", queries, WIDTH])
    graph = helper.make_graph([node], "attention", values, [out], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"scale": 0.3},
        {"is_causal": 1},
        {"queries": 1},
        {"mask": np.random.default_rng(3).normal(size=(ROWS, ROWS)).astype(np.float32)},
        {"mask": np.random.default_rng(4).normal(size=(1, HEADS, ROWS, ROWS)).astype(np.float32), "is_causal": 1, "scale": 1.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("batch", [1, 4])
def test_the_answers_are_the_kernels(case, batch):
    model = attention(**case)
    random = np.random.default_rng(batch)
    feeds = {name: random.normal(size=(batch, case.get("queries", ROWS) if name == "x" else ROWS, WIDTH)) for name in ("x", "y")}
    feeds = {name: value.astype(np.float32) for name, value in feeds.items()}
    expected = open_session(model).run(None, feeds)[0]
    assert decompose_attention(model) == 1
    onnx.checker.check_model(model, full_check=True)
    assert "Attention" not in {node.op_type for node in model.graph.node}
    np.testing.assert_allclose(open_session(model).run(None, feeds)[0], expected, atol=1e-5)


@pytest.mark.parametrize("other", [{"softcap": 2.0}, {"kv_num_heads": 1}, {"inputs": ("", "past", "past")}], ids=str)
def test_what_it_does_not_know_stays(other):
    model = attention(**other)
    assert decompose_attention(model) == 0
    assert [node.op_type for node in model.graph.node] == ["Attention"]
