"""The two kinds of exports on the hub: revision `main` by torch's older exporter, `v2` by its newer one."""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx_ir
import torch
from torch import Tensor, nn

from tests.support.hub import Files
from tests.support.hub_models.clip import HubClip
from tests.support.hub_models.from_bytes import FromBytes


def main_revision(model: HubClip) -> Files:
    """A CLIP's repository at `main`: float [1,3,S,S] and int32 [1,L], batch fixed at 1, one `embedding` of unit length each."""
    texts = {name: rows.int() for name, rows in model.text_inputs(model.words.rows("a red boat")).items()}
    pictures = {"image": torch.zeros(1, 3, model.size, model.size)}
    networks = older("visual/model.onnx", model.visual, pictures, ["embedding"])
    return model.files(networks | older("textual/model.onnx", model.textual, texts, ["embedding"]))


def v2_revision(model: HubClip) -> Files:
    """The same at `v2`: uint8 [batch,S,S,3], any batch, the fused Attention of opset 23, weights in a safetensors file."""
    visual = FromBytes(model.visual, model.mean, model.std)
    picture = torch.zeros(2, model.size, model.size, 3, dtype=torch.uint8)
    text = torch.cat([model.words.rows(text)["input_ids"] for text in ("a", "two red boats")]).int()
    networks = newer("visual/model.onnx", visual, {"image": picture}, ["image_embedding"])
    return model.files(networks | newer("textual/model.onnx", model.textual, {"text": text}, ["text_embedding"]))


def older(
    path: str, network: nn.Module, sample: dict[str, Tensor], outputs: Sequence[str], *, opset: int = 19, axes: dict[int, str] | None = None
) -> Files:
    """By torch's older exporter: shapes are those of the sample, but for the `axes` that are left open."""
    with tempfile.TemporaryDirectory() as folder, _quiet():
        target = Path(folder) / "model.onnx"
        options = {"dynamic_axes": dict.fromkeys(sample, axes)} if axes else {}
        names = {"input_names": list(sample), "output_names": list(outputs)}
        torch.onnx.export(network.eval(), tuple(sample.values()), str(target), dynamo=False, opset_version=opset, **names, **options)
        return {path: target.read_bytes()}


def newer(path: str, network: nn.Module, sample: dict[str, Tensor], outputs: Sequence[str]) -> Files:
    """By torch's newer exporter, opset 23: the batch is open, and `model.safetensors` beside the graph holds the weights."""
    with tempfile.TemporaryDirectory() as folder, _quiet():
        batch = torch.export.Dim("batch")
        program = torch.onnx.export(
            network.eval(),
            tuple(sample.values()),
            dynamo=True,
            opset_version=23,
            input_names=list(sample),
            output_names=list(outputs),
            dynamic_shapes=[{0: batch} for _ in sample],
            verbose=False,
        )
        assert program is not None
        for name, value in program.model.graph.initializers.items():
            if value.const_value is not None:
                value.const_value.name = name  # folded constants have none, and safetensors are found by theirs
        onnx_ir.save_safetensors(program.model, str(Path(folder) / "model.onnx"))
        return {str(Path(path).with_name(file.name)): file.read_bytes() for file in Path(folder).iterdir()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's remarks on the way."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
