"""Small exports in every layout that the import knows, with random weights: a name in, the file and its torch reference out.

Sizes are those of towers.py. References take what the served graph takes (uint8 pictures or int32 tokens) in any batch
and give unit-length embeddings, by other code than the export's.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from tests.support.towers import (
    CONTEXT,
    DIM,
    SIZE,
    VOCABULARY,
    WIDTH,
    ModifiedResNet,
    MultilingualText,
    TextTransformer,
    VisionTransformer,
    randomised,
)

MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
END = VOCABULARY - 1


@dataclass(frozen=True, slots=True)
class Export:
    """A file, and what is right for it."""

    path: Path
    layout: str
    reference: Callable[[NDArray[Any]], NDArray[np.float32]]
    pad_id: int = 0
    mask: str = "NONE"


def pictures(count: int) -> NDArray[np.uint8]:
    """uint8 [count, S, S, 3]: coarse random patterns, so that embeddings differ."""
    coarse = np.random.default_rng(7).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return coarse.repeat(SIZE // 4, axis=1).repeat(SIZE // 4, axis=2)


def tokens(count: int, pad_id: int) -> NDArray[np.int32]:
    """int32 [count, L]: start, words, end, padding; of different lengths."""
    random = np.random.default_rng(7)
    rows = np.full((count, CONTEXT), pad_id, np.int32)
    for index, row in enumerate(rows):
        words = random.integers(4, VOCABULARY - 2, 2 + 3 * index % (CONTEXT - 3))
        row[: len(words) + 2] = [VOCABULARY - 2, *words, END]
    return rows


def make(name: str, folder: Path) -> Export:
    """Build the export `name` (a key of VISUAL or TEXTUAL) in `folder`."""
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {**VISUAL, **TEXTUAL}[name](folder / f"{name}.onnx")


def _export(model: nn.Module, path: Path, sample: dict[str, Tensor], outputs: list[str], *, dynamo: bool = False, **options: Any) -> None:
    options.setdefault("opset_version", 18 if dynamo else 17)
    if dynamo:
        options |= {"external_data": False, "verbose": False}
    names = {"input_names": list(sample), "output_names": outputs}
    torch.onnx.export(model.eval(), tuple(sample.values()), str(path), dynamo=dynamo, **names, **options)


def _scaled(rows: NDArray[np.uint8], mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD) -> Tensor:
    """The pictures as OpenCLIP scales them, float32 [B,3,S,S]."""
    return ((torch.from_numpy(rows).double() / 255 - torch.tensor(mean)) / torch.tensor(std)).permute(0, 3, 1, 2).float()


def _unit(embeddings: Tensor) -> NDArray[np.float32]:
    return functional.normalize(embeddings.detach(), dim=-1).numpy()


def _openclip_visual(model: nn.Module, path: Path, **options: Any) -> Export:
    randomised(model)
    _export(model, path, {"image": torch.randn(1, 3, SIZE, SIZE)}, ["embedding"], **options)
    return Export(path, "openclip", lambda rows: _unit(model(_scaled(rows))))


def _openclip_text(path: Path, *, dynamo: bool = False, batch_first: bool = False) -> Export:
    model = TextTransformer(batch_first)
    output = "text_features" if dynamo else "embedding"  # the newer exporter has an inner tensor of that name, and does not see it
    _export(model, path, {"text": torch.randint(1, 60, (1, CONTEXT), dtype=torch.int32)}, [output], dynamo=dynamo)
    return Export(path, "openclip", lambda rows: _unit(model(torch.from_numpy(rows))))


def _m_clip(path: Path, *, kind: str = "m-clip") -> Export:
    """M-CLIP's own export (int32, batch 1), or the same tower as Hugging Face names things (int64, open batch)."""
    model = MultilingualText(pad_id=1).eval()
    whole = {"input_ids": torch.randint(2, 60, (1, CONTEXT)), "attention_mask": torch.ones(1, CONTEXT, dtype=torch.int64)}
    if kind == "m-clip":
        _export(model, path, {name: value.int() for name, value in whole.items()}, ["embedding"])
    else:
        _export(model, path, whole, ["text_embeds"], dynamic_axes={name: {0: "batch", 1: "length"} for name in whole})

    def reference(rows: NDArray[np.int32]) -> NDArray[np.float32]:
        ids = torch.from_numpy(rows).long()
        return _unit(model(ids, (ids != 1).long()))

    return Export(path, kind, reference, pad_id=1, mask="TOKENS")


class _Both(nn.Module):
    """A Hugging Face model with both towers, with inputs and outputs in the order of its usual exports."""

    outputs = ("logits_per_image", "logits_per_text", "text_embeds", "image_embeds")

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, pixel_values: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        found = self.model(input_ids=input_ids, pixel_values=pixel_values, attention_mask=attention_mask)
        return tuple(found[name] for name in self.outputs)


class _One(nn.Module):
    """One tower of a Hugging Face model, with one of its outputs."""

    def __init__(self, model: nn.Module, name: str) -> None:
        super().__init__()
        self.model, self.name = model, name

    def forward(self, value: Tensor) -> Tensor:
        return self.model(value)[self.name]


_VISION = {
    "hidden_size": WIDTH,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": SIZE,
    "patch_size": 8,
}
_TEXT = {"hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": VOCABULARY}
_TEXT |= {"max_position_embeddings": CONTEXT, "bos_token_id": VOCABULARY - 2, "eos_token_id": END}


def _clip() -> Any:
    from transformers import CLIPConfig, CLIPModel

    return randomised(CLIPModel(CLIPConfig(text_config={**_TEXT, "pad_token_id": END}, vision_config=_VISION, projection_dim=DIM)))


def _siglip() -> Any:
    from transformers import SiglipConfig, SiglipModel

    return randomised(SiglipModel(SiglipConfig(text_config={**_TEXT, "pad_token_id": 1}, vision_config=_VISION)))


def _huggingface(model: Any, path: Path, tower: str, *, pad_id: int, dynamo: bool = False) -> Export:
    sample = {
        "input_ids": torch.randint(2, 60, (2, CONTEXT)),
        "pixel_values": torch.randn(2, 3, SIZE, SIZE),
        "attention_mask": torch.ones(2, CONTEXT, dtype=torch.int64),
    }
    if dynamo:
        options: dict[str, Any] = {"dynamic_shapes": {name: {0: torch.export.Dim.DYNAMIC} for name in sample}}
    else:
        text, picture = {0: "batch", 1: "sequence"}, {0: "batch", 1: "channels", 2: "height", 3: "width"}
        options = {"dynamic_axes": {"input_ids": text, "pixel_values": picture, "attention_mask": text}}
    path = path.with_name(path.name.replace("-visual", "").replace("-text", ""))  # one file holds both towers
    if not path.exists():
        _export(_Both(model), path, sample, list(_Both.outputs), dynamo=dynamo, **options)
    if tower == "visual":
        return Export(path, "huggingface", lambda rows: _unit(model.get_image_features(pixel_values=_scaled(rows)).pooler_output))

    def embed(rows: NDArray[np.int32]) -> NDArray[np.float32]:
        return _unit(model.get_text_features(input_ids=torch.from_numpy(rows).long()).pooler_output)

    return Export(path, "huggingface", embed, pad_id=pad_id, mask="ONES")


def _huggingface_one(model: Any, path: Path, tower: str, *, output: str) -> Export:
    """A tower in a file of its own, as `vision_model.onnx` and `text_model.onnx` have it: not normalised, no mask."""
    if tower == "visual":
        sample, axes = {"pixel_values": torch.randn(2, 3, SIZE, SIZE)}, {0: "batch", 2: "height", 3: "width"}
    else:
        sample, axes = {"input_ids": torch.randint(2, 60, (2, CONTEXT))}, {0: "batch", 1: "sequence"}
    one = _One(model.eval(), output)
    _export(one, path, sample, [output], dynamic_axes=dict.fromkeys(sample, axes))
    if tower == "visual":
        return Export(path, "huggingface", lambda rows: _unit(one(_scaled(rows))))
    return Export(path, "huggingface", lambda rows: _unit(one(torch.from_numpy(rows).long())), pad_id=END)


def _vision_alone(path: Path) -> Export:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    model = randomised(CLIPVisionModelWithProjection(CLIPVisionConfig(**_VISION, projection_dim=DIM)))
    return _huggingface_one(model, path, "visual", output="image_embeds")


def _text_alone(path: Path) -> Export:
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    model = randomised(CLIPTextModelWithProjection(CLIPTextConfig(**_TEXT, projection_dim=DIM, pad_token_id=END)))
    return _huggingface_one(model, path, "textual", output="text_embeds")


def unprojected(path: Path) -> Export:
    """A vision tower exported without its projection: its pooled state is no embedding."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    return _huggingface_one(randomised(CLIPVisionModel(CLIPVisionConfig(**_VISION))), path, "visual", output="pooler_output")


def _v2(path: Path, tower: str) -> Export:
    """Immich's newer form: opset 23 with the fused Attention, uint8 NHWC, an open batch, weights in a sidecar."""
    random = np.random.default_rng(5)
    weights: dict[str, NDArray[Any]] = {
        name: random.normal(0, 0.3, shape).astype(np.float32)
        for name, shape in {"q": (WIDTH, WIDTH), "k": (WIDTH, WIDTH), "v": (WIDTH, WIDTH), "out": (WIDTH, DIM)}.items()
    }
    make_node = helper.make_node
    if tower == "visual":
        mean, std = np.array(MEAN, np.float32), np.array(STD, np.float32)
        weights |= {"scale": 1 / (255 * std), "shift": -mean / std, "patches": random.normal(0, 0.1, (WIDTH, 3, 8, 8)).astype(np.float32)}
        weights |= {"rows": np.array([0, WIDTH, -1])}
        nodes = [
            make_node("Cast", ["image"], ["f"], to=TensorProto.FLOAT),
            make_node("Mul", ["f", "scale"], ["g"]), make_node("Add", ["g", "shift"], ["h"]),
            make_node("Transpose", ["h"], ["p"], perm=[0, 3, 1, 2]),
            make_node("Conv", ["p", "patches"], ["c"], strides=[8, 8]),
            make_node("Reshape", ["c", "rows"], ["r"]), make_node("Transpose", ["r"], ["x"], perm=[0, 2, 1]),
        ]  # fmt: skip
        source = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", SIZE, SIZE, 3])
        output = "image_embedding"
    else:
        weights |= {"table": random.normal(0, 1, (VOCABULARY, WIDTH)).astype(np.float32), "last": np.array([-1])}
        nodes = [make_node("Gather", ["table", "text"], ["x"])]
        source = helper.make_tensor_value_info("text", TensorProto.INT32, ["batch", CONTEXT])
        output = "text_embedding"
    nodes += [make_node("MatMul", ["x", name], [name.upper()]) for name in "qkv"]
    nodes.append(make_node("Attention", ["Q", "K", "V"], ["a"], q_num_heads=4, kv_num_heads=4, is_causal=int(tower != "visual")))
    if tower == "visual":
        weights["middle"] = np.array([1])
        nodes.append(make_node("ReduceMean", ["a", "middle"], ["pooled"], keepdims=0))
    else:
        nodes += [
            make_node("ArgMax", ["text"], ["end"], axis=1, keepdims=1),
            make_node("GatherND", ["a", "end"], ["pooled"], batch_dims=1),
        ]
    weights["axis"] = np.array([-1])
    nodes += [
        make_node("MatMul", ["pooled", "out"], ["e"]),
        make_node("ReduceL2", ["e", "axis"], ["n"]), make_node("Div", ["e", "n"], [output]),
    ]  # fmt: skip
    target = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", DIM])
    graph = helper.make_graph(nodes, tower, [source], [target], [numpy_helper.from_array(value, name) for name, value in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=11)
    onnx.save_model(model, str(path), save_as_external_data=True, location=f"{path.stem}.weights", size_threshold=256)
    w = {name: torch.from_numpy(value) for name, value in weights.items()}

    def reference(rows: NDArray[Any]) -> NDArray[np.float32]:
        given = torch.from_numpy(rows)
        x = functional.conv2d(_scaled(rows), w["patches"], stride=8).flatten(2).mT if tower == "visual" else w["table"][given]
        q, k, v = ((x @ w[name]).unflatten(-1, (4, -1)).transpose(1, 2) for name in "qkv")
        a = functional.scaled_dot_product_attention(q, k, v, is_causal=tower != "visual").transpose(1, 2).flatten(2)
        pooled = a.mean(1) if tower == "visual" else a[torch.arange(len(a)), given.argmax(-1)]
        return _unit(pooled @ w["out"])

    return Export(path, "immich-v2", reference)


VISUAL: dict[str, Callable[[Path], Export]] = {
    "openclip-vit": lambda path: _openclip_visual(VisionTransformer(), path),
    "openclip-vit-batch-first": lambda path: _openclip_visual(VisionTransformer(batch_first=True), path),
    "openclip-vit-opset-14": lambda path: _openclip_visual(VisionTransformer(), path, opset_version=14),
    "openclip-vit-dynamo": lambda path: _openclip_visual(VisionTransformer(), path, dynamo=True),
    "openclip-vit-not-normalised": lambda path: _openclip_visual(VisionTransformer(normalise=False), path),
    "openclip-rn50": lambda path: _openclip_visual(ModifiedResNet(), path),
    "openclip-rn50-dynamo": lambda path: _openclip_visual(ModifiedResNet(), path, dynamo=True),
    "immich-v2-visual": lambda path: _v2(path, "visual"),
    "huggingface-clip-visual": lambda path: _huggingface(_clip(), path, "visual", pad_id=END),
    "huggingface-clip-visual-dynamo": lambda path: _huggingface(_clip(), path, "visual", pad_id=END, dynamo=True),
    "huggingface-siglip-visual": lambda path: _huggingface(_siglip(), path, "visual", pad_id=1),
    "huggingface-vision-alone": _vision_alone,
}
TEXTUAL: dict[str, Callable[[Path], Export]] = {
    "openclip-text": _openclip_text,
    "openclip-text-batch-first": lambda path: _openclip_text(path, batch_first=True),
    "openclip-text-dynamo": lambda path: _openclip_text(path, dynamo=True),
    "immich-v2-text": lambda path: _v2(path, "textual"),
    "huggingface-clip-text": lambda path: _huggingface(_clip(), path, "textual", pad_id=END),
    "huggingface-clip-text-dynamo": lambda path: _huggingface(_clip(), path, "textual", pad_id=END, dynamo=True),
    "huggingface-siglip-text": lambda path: _huggingface(_siglip(), path, "textual", pad_id=1),
    "huggingface-text-alone": _text_alone,
    "huggingface-masked-text": lambda path: _m_clip(path, kind="huggingface"),
    "m-clip": _m_clip,
}
