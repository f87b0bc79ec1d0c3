"""Every layout becomes the one served form and gives what torch gives, in any batch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tests.support.graphs import patches, write_graph
from triptych_server.models.import_clip import import_textual, import_visual
from triptych_server.models.mask import MaskRule
from triptych_server.models.preprocess import Preprocess

SIZE, CONTEXT = 32, 16
MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)  # as exports.py has them
PREPROCESS = Preprocess(size=SIZE, mean=MEAN, std=STD)

VISUAL = [
    "openclip-vit", "openclip-vit-batch-first", "openclip-vit-opset-14", "openclip-vit-dynamo", "openclip-vit-not-normalised",
    "openclip-rn50", "openclip-rn50-dynamo", "immich-v2-visual", "huggingface-clip-visual", "huggingface-clip-visual-dynamo",
    "huggingface-siglip-visual", "huggingface-vision-alone",
]  # fmt: skip
TEXTUAL = [
    "openclip-text", "openclip-text-batch-first", "openclip-text-dynamo", "immich-v2-text", "huggingface-clip-text",
    "huggingface-clip-text-dynamo", "huggingface-siglip-text", "huggingface-text-alone", "huggingface-masked-text", "m-clip",
]  # fmt: skip


def check_served(target: Path, rows: Any, expected: Any, name: str, dtype: int, shape: list[int]) -> None:
    """The contract of a served graph, and its embeddings against the reference in batches of 1, 2 and 5."""
    graph = onnx.load(str(target)).graph
    [given], [made] = graph.input, graph.output
    dims = [[dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in (given, made)]
    assert (given.name, given.type.tensor_type.elem_type, dims[0]) == (name, dtype, ["batch", *shape])
    assert (made.name, made.type.tensor_type.elem_type, dims[1]) == ("embedding", TensorProto.FLOAT, ["batch", expected.shape[1]])
    others = expected @ expected.T - np.eye(len(expected))
    assert others.max() < 0.9999, "the reference hardly tells its inputs apart, so the test would prove nothing"
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    for batch in (1, 2, 5):
        found = np.concatenate([session.run(None, {name: rows[at : at + batch]})[0] for at in range(0, 6 - batch, batch)])
        assert found.dtype == np.float32
        assert np.linalg.norm(found, axis=-1) == pytest.approx(1, abs=1e-5)
        assert (found * expected[: len(found)]).sum(-1).min() >= 0.99999


@pytest.mark.parametrize("name", VISUAL)
def test_image_tower_agrees_with_torch_in_any_batch(name: str, export: Callable[[str], Any], tmp_path: Path) -> None:
    from tests.support.exports import pictures

    made = export(name)
    report = import_visual(made.path, tmp_path / "model.onnx", preprocess=PREPROCESS)
    rows = pictures(5)
    check_served(tmp_path / "model.onnx", rows, made.reference(rows), "image", TensorProto.UINT8, [SIZE, SIZE, 3])
    assert (report.layout, report.size) == (made.layout, SIZE)
    assert report.cosine >= 0.99999
    assert report.normalised == (not name.endswith(("not-normalised", "alone")))


@pytest.mark.parametrize("name", TEXTUAL)
def test_text_tower_agrees_with_torch_in_any_batch(name: str, export: Callable[[str], Any], tmp_path: Path) -> None:
    from tests.support.exports import tokens

    made = export(name)
    report = import_textual(made.path, tmp_path / "model.onnx", pad_id=made.pad_id, context_length=CONTEXT)
    rows = tokens(5, made.pad_id)
    check_served(tmp_path / "model.onnx", rows, made.reference(rows), "tokens", TensorProto.INT32, [CONTEXT])
    assert (report.layout, report.size, report.mask.name) == (made.layout, CONTEXT, made.mask)


def test_every_export_is_tested(export: Callable[[str], Any]) -> None:
    from tests.support import exports

    assert (list(exports.VISUAL), list(exports.TEXTUAL)) == (VISUAL, TEXTUAL)


def test_clip_with_the_mask_of_its_tokenizer_agrees_with_transformers(export: Callable[[str], Any], tmp_path: Path) -> None:
    """The tokenizer pads with the end token and masks all but the first of them; the served graph has no mask at all."""
    import torch

    from tests.support.exports import END, tokens

    made = export("huggingface-clip-text")
    import_textual(made.path, tmp_path / "model.onnx", pad_id=END, context_length=CONTEXT)
    rows = tokens(5, END)
    mask = np.cumsum(rows == END, axis=1) <= 1
    feeds = {"input_ids": rows.astype(np.int64), "attention_mask": mask.astype(np.int64), "pixel_values": torch.zeros(1, 3, 32, 32).numpy()}
    expected = onnxruntime.InferenceSession(str(made.path)).run(["text_embeds"], feeds)[0]
    found = onnxruntime.InferenceSession(str(tmp_path / "model.onnx")).run(None, {"tokens": rows})[0]
    assert (found * expected).sum(-1).min() >= 0.99999


def test_mask_rule_of_the_caller_is_used(export: Callable[[str], Any], tmp_path: Path) -> None:
    made = export("m-clip")
    found = [
        import_textual(made.path, tmp_path / f"{rule.name}.onnx", pad_id=1, context_length=CONTEXT, mask=rule)
        for rule in (MaskRule.ONES, MaskRule.TOKENS)
    ]
    assert [report.mask for report in found] == [MaskRule.ONES, MaskRule.TOKENS]
    from tests.support.exports import tokens

    ones, masked = (
        onnxruntime.InferenceSession(str(tmp_path / f"{rule}.onnx")).run(None, {"tokens": tokens(2, 1)})[0] for rule in ("ONES", "TOKENS")
    )
    assert abs(ones - masked).max() > 1e-3


def test_served_graph_is_lean(export: Callable[[str], Any], tmp_path: Path) -> None:
    """Bytes are transposed before they become floats; no Identity, no chain of shapes, no weight that nothing reads."""
    import_visual(export("openclip-vit").path, tmp_path / "model.onnx", preprocess=PREPROCESS)
    graph = onnx.load(str(tmp_path / "model.onnx")).graph
    assert [node.op_type for node in graph.node[:4]] == ["Transpose", "Cast", "Mul", "Add"]
    assert sum(node.op_type == "Shape" for node in graph.node) == 1  # for the class token of each picture
    assert not any(node.op_type == "Identity" for node in graph.node)
    read = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} <= read


def test_served_graph_says_where_it_comes_from(tmp_path: Path) -> None:
    from hashlib import sha256

    nodes, weights = patches()
    source = write_graph(tmp_path / "a.onnx", [*nodes, helper.make_node("Flatten", ["pooled"], ["embedding"])], weights=weights)
    report = import_visual(source, tmp_path / "model.onnx", preprocess=PREPROCESS)
    model = onnx.load(str(tmp_path / "model.onnx"))
    digest = sha256(source.read_bytes()).hexdigest()
    assert {entry.key: entry.value for entry in model.metadata_props} == {"triptych.layout": "openclip", "triptych.source_sha256": digest}
    assert (model.producer_name, report.source_sha256, report.dim) == ("triptych", digest, 8)


@pytest.mark.parametrize("opset", [11, 13, 21])
def test_old_and_new_opsets_are_imported(opset: int, tmp_path: Path) -> None:
    nodes, weights = patches()
    source = write_graph(
        tmp_path / "a.onnx", [*nodes, helper.make_node("Flatten", ["pooled"], ["embedding"])], weights=weights, opset=opset
    )
    report = import_visual(source, tmp_path / "model.onnx", preprocess=PREPROCESS)
    assert report.opset == (17 if opset < 13 else opset)
    assert not report.normalised


def test_weights_listed_as_inputs_are_no_inputs(tmp_path: Path) -> None:
    """The first exporters listed every weight as an input too."""
    nodes, weights = patches()
    source = write_graph(tmp_path / "a.onnx", [*nodes, helper.make_node("Flatten", ["pooled"], ["embedding"])], weights=weights, opset=9)
    model = onnx.load(str(source))
    model.ir_version = 3
    model.graph.input.append(helper.make_tensor_value_info("kernel", TensorProto.FLOAT, [8, 3, 8, 8]))
    onnx.save(model, str(source))
    import_visual(source, tmp_path / "model.onnx", preprocess=PREPROCESS)
    assert [value.name for value in onnx.load(str(tmp_path / "model.onnx")).graph.input] == ["image"]


def test_open_batch_that_cannot_be_followed_is_left_as_it_is(tmp_path: Path) -> None:
    """An operator without a rule is no obstacle where the exporter left the batch open, as long as the check passes."""
    nodes, weights = patches()
    source = write_graph(
        tmp_path / "a.onnx",
        [*nodes, helper.make_node("Einsum", ["pooled", "w"], ["embedding"], equation="bchw,cd->bd")],
        weights={**weights, "w": np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)},
        inputs=[("image", TensorProto.FLOAT, ("batch", 3, 32, 32))],
        output=("embedding", ("batch", 8)),
    )
    report = import_visual(source, tmp_path / "model.onnx", preprocess=PREPROCESS)
    assert report.rewritten == 0
    [found] = onnxruntime.InferenceSession(str(tmp_path / "model.onnx")).run(None, {"image": np.zeros((4, 32, 32, 3), np.uint8)})
    assert found.shape == (4, 8)


def test_half_precision_is_served_as_float(tmp_path: Path) -> None:
    source = write_graph(
        tmp_path / "a.onnx",
        [helper.make_node("Flatten", ["image"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["embedding"])],
        weights={"w": np.random.default_rng(0).normal(0, 0.01, (3 * 32 * 32, 8)).astype(np.float16)},
        inputs=[("image", TensorProto.FLOAT16, (1, 3, 32, 32))],
    )
    model = onnx.load(str(source))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    onnx.save(model, str(source))
    import_visual(source, tmp_path / "model.onnx", preprocess=PREPROCESS)
    [found] = onnxruntime.InferenceSession(str(tmp_path / "model.onnx")).run(None, {"image": np.full((2, 32, 32, 3), 7, np.uint8)})
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=-1) == pytest.approx(1, abs=1e-3)
