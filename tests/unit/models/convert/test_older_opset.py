"""Graphs of new opsets under an older one: the same numbers, or a refusal."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from triptych_server.errors import ConversionError
from triptych_server.models import surgery
from triptych_server.models.convert.older_opset import lower_opset
from triptych_server.models.sessions import open_session


def model(op, version, **attributes):
    """x [2,6] -> op -> squared -> y."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 6]) for name in "xy")
    nodes = [helper.make_node(op, ["x"], ["inner"], **attributes), helper.make_node("Mul", ["inner", "inner"], ["y"])]
    opset = helper.make_opsetid("", version)
    return helper.make_model(helper.make_graph(nodes, "g", [x], [y]), opset_imports=[opset], ir_version=11)


@pytest.mark.parametrize("op", ["Gelu", "Sigmoid"])
def test_gives_the_same_under_an_older_opset(op):
    new, old = model(op, 23), model(op, 23)
    lower_opset(old, 19)
    assert (surgery.opset(old), old.ir_version) == (19, 10)
    x = np.random.default_rng(0).normal(0, 3, (2, 6)).astype(np.float32)
    np.testing.assert_allclose(open_session(old).run(None, {"x": x})[0], open_session(new).run(None, {"x": x})[0], atol=1e-5)


def test_an_older_graph_stays_as_it_is():
    given = model("Sigmoid", 17)
    before = given.SerializeToString()
    lower_opset(given, 19)
    assert given.SerializeToString() == before


@pytest.mark.parametrize(("op", "attributes"), [("RMSNormalization", {}), ("Gelu", {"approximate": "tanh"}), ("Swish", {})])
def test_what_the_older_opset_does_not_have_is_refused(op, attributes):
    with pytest.raises(ConversionError, match=f"opset 24 and cannot be brought to 19: .*{op}"):
        lower_opset(model(op, 24, **attributes), 19)
