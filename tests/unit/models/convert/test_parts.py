"""Served graphs of every layout, cut in three: head, core and tail in a row give what the whole graph gives."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support import face_exports
from triptych_server.errors import ConversionError
from triptych_server.models.convert.parts import cut
from triptych_server.models.import_clip import import_textual, import_visual
from triptych_server.models.import_faces import import_detector, import_embedder
from triptych_server.models.preprocess import Preprocess
from triptych_server.models.sessions import open_session

torch = pytest.importorskip("torch", reason="PyTorch, which makes the exports, is not installed")
from tests.support import exports  # noqa: E402


def joined(parts, rows):
    """The served outputs, by name, from the parts; the core sees one row at a time."""
    core, tail = open_session(parts.core), open_session(parts.tail)
    fed = parts.head.scale(rows) if parts.head else rows
    name = core.get_inputs()[0].name
    names = [output.name for output in core.get_outputs()]
    found = [core.run(None, {name: fed[index : index + 1]}) for index in range(len(rows))]
    feeds = {name: np.concatenate(of_all) for name, of_all in zip(names, zip(*found, strict=True), strict=True)}
    return dict(zip([output.name for output in tail.get_outputs()], tail.run(None, feeds), strict=True))


def check(path, rows, embeds=True):
    served = onnx.load(str(path))
    before = served.SerializeToString()
    parts = cut(served)
    assert served.SerializeToString() == before
    onnx.checker.check_model(parts.core, full_check=True)
    onnx.checker.check_model(parts.tail, full_check=True)
    session = open_session(path)
    expected = session.run(None, {session.get_inputs()[0].name: rows})
    found = joined(parts, rows)
    for output, wanted in zip(session.get_outputs(), expected, strict=True):
        got = found[output.name]
        assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(got, wanted, atol=2e-5 if embeds or output.name == "scores" else 2e-3)
    return parts


@pytest.mark.parametrize("name", exports.VISUAL)
def test_an_image_tower_is_cut(name, export, tmp_path):
    made = export(name)
    preprocess = Preprocess(exports.SIZE, exports.MEAN, exports.STD)
    import_visual(made.path, tmp_path / "served.onnx", preprocess=preprocess)
    parts = check(tmp_path / "served.onnx", exports.pictures(3))
    assert np.ptp(parts.head.std) < 10
    assert float_core(parts.core, [1, 3, exports.SIZE, exports.SIZE])
    assert not {"ReduceL2", "LpNormalization", "Shape"} & ops(parts.core)


@pytest.mark.parametrize("name", exports.TEXTUAL)
def test_a_text_tower_is_cut(name, export, tmp_path):
    made = export(name)
    import_textual(made.path, tmp_path / "served.onnx", pad_id=made.pad_id, context_length=exports.CONTEXT)
    parts = check(tmp_path / "served.onnx", exports.tokens(3, made.pad_id))
    assert parts.head is None
    assert not {"ReduceL2", "LpNormalization", "Shape"} & ops(parts.core)


@pytest.mark.parametrize("name", face_exports.EMBEDDERS)
def test_a_face_embedder_is_cut(name, face_export, tmp_path):
    import_embedder(face_export(name).path, tmp_path / "served.onnx")
    parts = check(tmp_path / "served.onnx", face_exports.pictures(3, face_exports.FACE))
    np.testing.assert_allclose(parts.head.mean, 127.5, rtol=1e-5)
    np.testing.assert_allclose(parts.head.std, 128 if "scaled" in name else 127.5, rtol=1e-5)
    assert float_core(parts.core, [1, 3, 112, 112])


@pytest.mark.parametrize("name", face_exports.DETECTORS)
def test_a_detector_is_cut_at_its_maps(name, face_export, tmp_path):
    import_detector(face_export(name).path, tmp_path / "served.onnx")
    parts = check(tmp_path / "served.onnx", face_exports.pictures(2, face_exports.PICTURE), embeds=False)
    assert {value.name for value in parts.core.graph.output} == {f"map_{index}" for index in range(9)}
    assert {len(value.type.tensor_type.shape.dim) for value in parts.core.graph.output} == {4}
    assert float_core(parts.core, [1, 3, 640, 640])
    assert not {"Sigmoid", "Reshape"} & ops(parts.core)


def test_half_precision_becomes_single(tmp_path):
    source = face_exports.half_precision(tmp_path / "half.onnx")
    import_detector(source, tmp_path / "served.onnx")
    parts = cut(onnx.load(str(tmp_path / "served.onnx")))
    assert not any(tensor.data_type == TensorProto.FLOAT16 for tensor in parts.core.graph.initializer)
    rows = face_exports.pictures(1, face_exports.PICTURE)
    whole = open_session(tmp_path / "served.onnx").run(["boxes"], {"image": rows})[0]
    assert np.abs(joined(parts, rows)["boxes"] - whole).max() < 2


def model(*nodes, gives="embedding"):
    """A graph from `image` uint8 [batch,8,8,3] to a float tensor."""
    picture = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 8, 8, 3])
    graph = helper.make_graph(list(nodes), "g", [picture], [helper.make_tensor_value_info(gives, TensorProto.FLOAT, None)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


FLOATS = helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT)


@pytest.mark.parametrize(
    ("served", "words"),
    [
        (model(helper.make_node("Cast", ["image"], ["mask"], to=1), gives="mask"), "gives mask; expected embedding, or boxes"),
        (model(helper.make_node("Add", ["image", "image"], ["b"]), helper.make_node("Cast", ["b"], ["embedding"], to=1)), "does not begin"),
        (model(FLOATS, helper.make_node("NoSuchThing", ["floats"], ["embedding"])), "cannot be followed: .*NoSuchThing"),
    ],
)
def test_a_graph_that_is_not_in_the_served_form_is_refused(served, words):
    with pytest.raises(ConversionError, match=words):
        cut(served)


def test_weights_that_no_compiler_reads_are_refused(monkeypatch):
    monkeypatch.setattr("triptych_server.models.convert.parts.EXTERNAL_ABOVE", 3)
    served = model(FLOATS, helper.make_node("Mul", ["floats", "two"], ["embedding"]))
    served.graph.initializer.append(numpy_helper.from_array(np.float32([2]), "two"))
    with pytest.raises(ConversionError, match="has 0.0 GB of weights, and compilers read 2 GB; use a smaller model"):
        cut(served)


def test_colours_are_taken_as_they_are_where_the_graph_does_not_scale_them():
    parts = cut(model(FLOATS, helper.make_node("Clip", ["floats"], ["embedding"])))
    assert (parts.head.mean, parts.head.std) == ((0, 0, 0), (1, 1, 1))
    assert ops(parts.core) == {"Transpose", "Clip"}


def ops(model):
    return {node.op_type for node in model.graph.node}


def float_core(core, shape):
    """Whether it takes one picture as float32 in this shape."""
    kind = core.graph.input[0].type.tensor_type
    return kind.elem_type == TensorProto.FLOAT and [dim.dim_value for dim in kind.shape.dim] == shape
