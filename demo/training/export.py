"""From trained towers to the folder a model hub would give: two ONNX graphs in OpenCLIP's export form and their JSON.

The graphs take what OpenCLIP's exports take (normalised f32 [1, 3, 224, 224]; int32 [1, 77]), batch fixed at 1; turning
that into what is served is the graph import's work, here as for every other model.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from tokenizers import Tokenizer
from torch import Tensor, nn

from demo.training.bpe import PAD
from demo.training.towers import CONTEXT_LENGTH, EMBED_DIM, TextTower, VisualTower

IMAGE_SIZE = 224
MEAN = (0.48145466, 0.4578275, 0.40821073)  # of OpenAI's CLIP, which most CLIP models use
STD = (0.26862954, 0.26130258, 0.27577711)
_OPSET = 17
_HALF_FROM = 256  # smaller tensors stay f32: they weigh nothing


def export(folder: Path, visual: VisualTower, text: TextTower, tokenizer: Tokenizer) -> None:
    """Write the whole model folder, replacing what is there."""
    for name in ("visual", "textual"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    image = torch.zeros(1, 3, IMAGE_SIZE, IMAGE_SIZE)
    tokens = torch.zeros(1, CONTEXT_LENGTH, dtype=torch.int32)
    _graph(visual, image, "image", folder / "visual" / "model.onnx")
    _graph(text, tokens, "text", folder / "textual" / "model.onnx")
    tokenizer.save(str(folder / "textual" / "tokenizer.json"))
    _json(folder / "textual" / "tokenizer_config.json", {"pad_token": PAD, "model_max_length": CONTEXT_LENGTH})
    _json(
        folder / "visual" / "preprocess_cfg.json",
        {
            "size": [IMAGE_SIZE, IMAGE_SIZE],
            "mode": "RGB",
            "mean": list(MEAN),
            "std": list(STD),
            "interpolation": "bicubic",
            "resize_mode": "shortest",
            "fill_color": 0,
        },
    )
    _json(
        folder / "config.json",
        {
            "embed_dim": EMBED_DIM,
            "vision_cfg": {"image_size": IMAGE_SIZE},
            "text_cfg": {"context_length": CONTEXT_LENGTH, "vocab_size": tokenizer.get_vocab_size()},
        },
    )


def _graph(tower: nn.Module, example: Tensor, name: str, path: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        exported = Path(scratch) / "model.onnx"
        # The tracing exporter is the one that OpenCLIP's own exports were made with; its notice is no news.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            tower.eval(),
            (example,),
            exported,
            input_names=[name],
            output_names=["embedding"],
            opset_version=_OPSET,
            dynamo=False,
        )
        model = onnx.load(exported)
    _store_in_half(model.graph)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def _store_in_half(graph: onnx.GraphProto) -> None:
    """Store the larger f32 weights as f16 with a cast behind each: half the bytes in git, and the arithmetic stays f32."""
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims, dtype=int) < _HALF_FROM:
            continue
        name, halved = tensor.name, f"{tensor.name}_f16"
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), halved))
        casts.append(helper.make_node("Cast", [halved], [name], name=f"{name}_cast", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
