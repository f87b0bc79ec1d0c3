"""What cannot be imported is refused with a sentence that helps, and the model that is served stays as it was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper

from tests.support.graphs import patches, write_graph
from tests.support.refused import refused
from triptych_server.models import surgery
from triptych_server.models.import_clip import import_textual, import_visual
from triptych_server.models.preprocess import Preprocess

PREPROCESS = Preprocess(size=32)
IDS = ("text", TensorProto.INT64, (1, 16))


def visual(source: Path, target: Path) -> Callable[[], Any]:
    return lambda: import_visual(source, target, preprocess=PREPROCESS)


def end(*nodes: NodeProto) -> list[NodeProto]:
    return [*patches()[0], *nodes]


def flatten(source: str = "pooled") -> NodeProto:
    return helper.make_node("Flatten", [source], ["embedding"])


def test_unknown_graph_is_told_what_it_has_and_what_is_known(tmp_path: Path, target: Path) -> None:
    nodes = [helper.make_node("Add", ["left", "right"], ["logits"])]
    shapes: list[tuple[str, int, list[int | str]]] = [(name, TensorProto.FLOAT, [1, 1000]) for name in ("left", "right")]
    source = write_graph(tmp_path / "a.onnx", nodes, inputs=shapes, output=("logits", [1, 1000]))
    text = refused(visual(source, target), target)
    for word in ("`left` float[1,1000]", "`logits` float[1,1000]", "OpenCLIP", "Hugging Face CLIPModel", "M-CLIP"):
        assert word in text
    assert "token ids" in refused(lambda: import_textual(source, target, pad_id=0, context_length=16), target)


@pytest.mark.filterwarnings("ignore")  # of the exporter
def test_pooled_state_before_the_projection_is_no_embedding(tmp_path: Path, target: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed: there is nothing to export with")
    pytest.importorskip("transformers", reason="transformers is not installed")
    from tests.support.exports import unprojected

    text = refused(visual(unprojected(tmp_path / "a.onnx").path, target), target)
    assert "WithProjection" in text


def test_batch_that_cannot_be_found_is_refused_by_the_node(tmp_path: Path, target: Path) -> None:
    mixing = helper.make_node("ReduceMean", ["pooled"], ["mixed"], axes=[0, 2, 3], keepdims=1, name="mixes")
    source = write_graph(tmp_path / "a.onnx", end(mixing, flatten("mixed")), weights=patches()[1])
    text = refused(visual(source, target), target)
    assert "'mixes'" in text
    assert "ReduceMean" in text
    assert "dynamic batch" in text


def test_operator_without_a_rule_is_named(tmp_path: Path, target: Path) -> None:
    odd = helper.make_node("Det", ["square"], ["d"])
    square = helper.make_node("Concat", ["pooled"] * 1, ["square"], axis=0)
    source = write_graph(
        tmp_path / "a.onnx",
        end(square, odd, helper.make_node("Expand", ["d", "s"], ["embedding"])),
        weights={**patches()[1], "s": np.array([1, 8])},
    )
    assert "export it with a dynamic batch" in refused(visual(source, target), target)


def test_embedding_that_hangs_on_its_neighbours_is_refused(tmp_path: Path, target: Path) -> None:
    mean = helper.make_node("ReduceMean", ["pooled"], ["mean"], axes=[0], keepdims=1)
    mixed = helper.make_node("Sub", ["pooled", "half"], ["mixed"])
    half = helper.make_node("Mul", ["mean", "part"], ["half"])
    source = write_graph(
        tmp_path / "a.onnx",
        end(mean, half, mixed, flatten("mixed")),
        weights={**patches()[1], "part": np.array(0.7, np.float32)},
        inputs=[("image", TensorProto.FLOAT, ("batch", 3, 32, 32))],
        output=("embedding", ("batch", 8)),
    )
    text = refused(visual(source, target), target)
    assert "do not agree in batches of 2" in text
    assert "0.99999" in text


def test_wrong_surgery_is_caught_before_the_target_is_touched(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check is what stands between a mistake of ours and the index of a library."""
    right = surgery.picture_scaling

    def wrong(source: str, to: str, mean: Any, std: Any, **options: Any) -> Any:
        return right(source, to, mean[::-1], std, **options)

    source = write_graph(tmp_path / "a.onnx", end(flatten()), weights=patches()[1])
    monkeypatch.setattr(surgery, "picture_scaling", wrong)
    assert "do not agree in batches of 1" in refused(visual(source, target), target)
    monkeypatch.undo()
    import_visual(source, target, preprocess=PREPROCESS)
    assert onnx.load(str(target)).producer_name == "triptych"


def test_damaged_weights_are_refused(tmp_path: Path, target: Path) -> None:
    nodes, weights = patches()
    source = write_graph(tmp_path / "a.onnx", [*nodes, flatten()], weights={"kernel": weights["kernel"] * np.float32(np.nan)})
    assert "damaged" in refused(visual(source, target), target)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"version https://git-lfs.github.com/spec/v1\n"])
def test_file_that_is_no_graph_is_refused(content: bytes, tmp_path: Path, target: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    assert "pull the model again" in refused(visual(tmp_path / "a.onnx", target), target)


def test_missing_file_and_missing_weights_are_refused(tmp_path: Path, target: Path) -> None:
    assert "pull the model again" in refused(visual(tmp_path / "none.onnx", target), target)
    source = write_graph(tmp_path / "a.onnx", end(flatten()), weights=patches()[1])
    onnx.save_model(onnx.load(str(source)), str(source), save_as_external_data=True, location="a.data", size_threshold=16)
    (tmp_path / "a.data").unlink()
    assert "pull the model again" in refused(visual(source, target), target)


def test_facts_beside_the_graph_must_fit_it(tmp_path: Path, target: Path) -> None:
    source = write_graph(tmp_path / "a.onnx", end(flatten()), weights=patches()[1])
    text = refused(lambda: import_visual(source, target, preprocess=Preprocess(size=64)), target)
    assert "32 pixels" in text
    assert "64" in text
    table = {"table": np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32), "one": np.array([1])}
    nodes = [
        helper.make_node("Gather", ["table", "text"], ["x"]),
        helper.make_node("ReduceMean", ["x"], ["embedding"], axes=[1], keepdims=0),
    ]
    source = write_graph(tmp_path / "t.onnx", nodes, weights=table, inputs=[IDS])
    assert "context_length" in refused(lambda: import_textual(source, target, pad_id=0, context_length=77), target)
    assert "pad id 50" in refused(lambda: import_textual(source, target, pad_id=50, context_length=16), target)
    assert import_textual(source, target, pad_id=0, context_length=16).dim == 8
