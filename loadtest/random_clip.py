"""A CLIP with random weights as a hub would give it: (shape, seed) -> a model folder that `triptych models use` can read."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import onnx
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from loadtest import graph_builder, vit
from loadtest.made_models import made_model
from loadtest.vit import ClipShape, textual_tower, visual_tower

MEAN = (0.48145466, 0.4578275, 0.40821073)  # of OpenAI's CLIP, as in its published preprocess_cfg.json
STD = (0.26862954, 0.26130258, 0.27577711)


def random_clip(cache: Path, shape: ClipShape | None = None, seed: int = 0) -> Path:
    """Write the folder under `cache`, or reuse the one an earlier run with the same sizes and seed left there.

    Layout: config.json, visual/{model.onnx,preprocess_cfg.json}, textual/{model.onnx,tokenizer.json,tokenizer_config.json}.
    """
    shape = shape or ClipShape()
    makers = [Path(__file__), Path(vit.__file__), Path(graph_builder.__file__)]
    return made_model(cache, "random-clip", {**asdict(shape), "seed": seed}, makers, lambda folder: _write(folder, shape, seed))


def _write(folder: Path, shape: ClipShape, seed: int) -> None:
    visual, textual = folder / "visual", folder / "textual"
    visual.mkdir()
    textual.mkdir()
    onnx.save(visual_tower(shape, seed), visual / "model.onnx")
    onnx.save(textual_tower(shape, seed + 1), textual / "model.onnx")
    preprocess: dict[str, object] = {"size": [shape.image_size] * 2, "mode": "RGB", "mean": MEAN, "std": STD}
    preprocess |= {"interpolation": "bicubic", "resize_mode": "shortest", "fill_color": 0}
    config = {
        "embed_dim": shape.embed_dim,
        "vision_cfg": {"image_size": shape.image_size, "patch_size": shape.patch, "width": shape.vision_width},
        "text_cfg": {"context_length": shape.context_length, "vocab_size": shape.vocabulary},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (visual / "preprocess_cfg.json").write_text(json.dumps(preprocess))
    byte_tokenizer(shape.vocabulary).save(str(textual / "tokenizer.json"))
    (textual / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<|endoftext|>"}))


def byte_tokenizer(vocabulary: int) -> Tokenizer:
    """A tokenizer of single bytes whose start and end tokens are the two highest ids, as in CLIP's own; those between are unused."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    unused = [f"<|unused{i}|>" for i in range(vocabulary - 2 - len(letters))]
    ids = {token: i for i, token in enumerate([*letters, *unused, "<|startoftext|>", "<|endoftext|>"])}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=[], unk_token="<|endoftext|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>",
        special_tokens=[("<|startoftext|>", vocabulary - 2), ("<|endoftext|>", vocabulary - 1)],
    )
    return tokenizer


def tiny_shape() -> ClipShape:
    """A CLIP of the same structure and a few thousand weights, for tests of what only the structure decides."""
    return replace(ClipShape(), vision_width=64, vision_layers=2, text_width=64, text_layers=2, vocabulary=512)
