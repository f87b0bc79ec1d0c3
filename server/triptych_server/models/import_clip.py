"""Brings a CLIP tower into the served form: an ONNX as found in the wild goes in, `target` holds the served graph, a report comes out.

The served graphs: `image` UINT8 [B,S,S,3] RGB, or `tokens` INT32 [B,L], to `embedding` FP32 [B,D] of unit length. Nothing is put in
the target's place before the new graph has agreed with the original on the same input, in several batch sizes.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from triptych_server.errors import ModelImportError
from triptych_server.models import layouts, samples, store, surgery
from triptych_server.models.layouts import TextualLayout, VisualLayout
from triptych_server.models.mask import MaskRule, find_rule, kept_tokens, mask_nodes
from triptych_server.models.preprocess import Preprocess
from triptych_server.models.served import Tower, original
from triptych_server.models.verify import Embeddings, one_by_one

Ask = Callable[[Mapping[str, NDArray[np.generic]]], NDArray[Any]]
_PICTURE, _IDS, _MASK = "triptych::picture", "triptych::ids", "triptych::mask"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was found and what was made of it."""

    layout: str
    size: int  # pixels a side, or tokens
    dim: int
    opset: int
    rewritten: int  # nodes that held the batch and were changed
    normalised: bool  # the original gave unit length by itself
    mask: MaskRule
    cosine: float  # the worst against the original
    source_sha256: str
    seconds: float


def import_visual(source: Path, target: Path, *, preprocess: Preprocess, external_above: int = store.EXTERNAL_ABOVE) -> ImportReport:
    """Import the image tower of `source` into `target`.

    `preprocess` gives the size where the graph leaves it open, and mean and std where the graph does not normalise.
    Weights above `external_above` bytes go to a sidecar. Raises ModelImportError; `target` is then as it was.
    """
    started = time.monotonic()
    model = store.read(source)
    layout = layouts.recognise_visual(model)
    size = layout.size or preprocess.size
    if size != preprocess.size:
        raise ModelImportError(
            f"the graph takes pictures of {size} pixels, the model's files say {preprocess.size}; "
            "correct `size` in preprocess_cfg.json (or image_size in config.json)"
        )
    sha256 = store.fingerprint(model, source)
    pictures = samples.pictures(size)
    tower = Tower(model, _embed_pictures(original(source, layout.output, target), layout, preprocess, pictures))
    store.load_weights(model, source)
    tower.cut_out(layout.output, {layout.input: _PICTURE}, "image")
    tower.free_batch({_PICTURE: _picture_feed(layout, preprocess, pictures[:1])}, layout.batch_fixed)
    graph = tower.model.graph
    if layout.dtype == TensorProto.UINT8:
        surgery.rename(graph, {_PICTURE: "image"})
    else:
        scaling = surgery.picture_scaling(
            "image", _PICTURE, np.array(preprocess.mean), np.array(preprocess.std), nchw=layout.nchw, dtype=layout.dtype
        )
        surgery.put_before(graph, *scaling)
    served = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", size, size, 3])
    tower.finish(served, _metadata(layout.kind, sha256))
    cosine = tower.put_in_place(target, pictures, external_above)
    return _report(tower, layout.kind, size, MaskRule.NONE, cosine, sha256, started)


def import_textual(
    source: Path,
    target: Path,
    *,
    pad_id: int,
    context_length: int,
    mask: MaskRule | None = None,
    sample: NDArray[np.int32] | None = None,
    external_above: int = store.EXTERNAL_ABOVE,
) -> ImportReport:
    """Import the text tower of `source` into `target`, for rows of `context_length` tokens padded with `pad_id`.

    Where the original wants an attention mask, the served graph makes it by the rule `mask`; by default the rule is found from
    the tower's behaviour. The two are compared on the token rows `sample` [N,L], best from the model's own tokenizer; made-up rows
    by default. Weights above `external_above` bytes go to a sidecar. Raises ModelImportError; `target` is then as it was.
    """
    started = time.monotonic()
    model = store.read(source)
    layout = layouts.recognise_textual(model)
    if layout.context_length not in (None, context_length):
        raise ModelImportError(
            f"the graph takes {layout.context_length} tokens, the model's files say {context_length}; "
            "correct context_length in config.json (text_cfg)"
        )
    sha256 = store.fingerprint(model, source)
    tokens = sample if sample is not None else samples.token_rows(model.graph, layout.input, context_length, pad_id)
    rule, kept, expected = _embed_tokens(original(source, layout.output, target), layout, tokens, pad_id, mask)
    tower = Tower(model, expected)
    store.load_weights(model, source)
    names = {layout.input: _IDS} | ({layout.mask: _MASK} if layout.mask else {})
    tower.cut_out(layout.output, names, "tokens")
    feeds = {names[name]: value for name, value in _token_feeds(layout, tokens[:1], kept[:1]).items()}
    made, constants = _mask(tower, layout, rule, feeds, pad_id)
    graph = tower.model.graph
    nodes: list[NodeProto] = []
    if layout.dtype == TensorProto.INT32:
        surgery.rename(graph, {_IDS: "tokens"})
    else:
        nodes.append(helper.make_node("Cast", ["tokens"], [_IDS], "triptych::Cast.ids", to=layout.dtype))
    nodes += made
    surgery.put_before(graph, nodes, constants)
    served = helper.make_tensor_value_info("tokens", TensorProto.INT32, ["batch", context_length])
    tower.finish(served, _metadata(layout.kind, sha256))
    cosine = tower.put_in_place(target, tokens, external_above)
    return _report(tower, layout.kind, context_length, rule, cosine, sha256, started)


def _embed_pictures(ask: Ask, layout: VisualLayout, preprocess: Preprocess, pictures: NDArray[np.uint8]) -> Embeddings:
    """The original's embeddings of pictures uint8 [N,S,S,3]; `ask` is its session, which dies before the weights are loaded again."""

    def embed(index: int) -> NDArray[Any]:
        return ask({layout.input: _picture_feed(layout, preprocess, pictures[index : index + 1])})

    return one_by_one(embed, len(pictures))


def _picture_feed(layout: VisualLayout, preprocess: Preprocess, pictures: NDArray[np.uint8]) -> NDArray[np.generic]:
    """Pictures uint8 [N,S,S,3] as the original wants them, scaled as OpenCLIP scales them."""
    if layout.dtype == TensorProto.UINT8:
        return pictures
    mean, std = np.array(preprocess.mean, np.float32), np.array(preprocess.std, np.float32)
    scaled = (pictures.astype(np.float32) / np.float32(255) - mean) / std
    ordered = scaled.transpose(0, 3, 1, 2) if layout.nchw else scaled
    return np.ascontiguousarray(ordered, helper.tensor_dtype_to_np_dtype(layout.dtype))


def _embed_tokens(
    ask: Ask, layout: TextualLayout, tokens: NDArray[np.int32], pad_id: int, mask: MaskRule | None
) -> tuple[MaskRule, NDArray[np.int64], Embeddings]:
    """The mask's rule, the mask [N,L] by this rule, and the original's embeddings of `tokens` [N,L] under it."""

    def embed(rows: NDArray[np.int32], kept: NDArray[np.int64]) -> Embeddings:
        def one(index: int) -> NDArray[Any]:
            here = slice(index, index + 1)
            return ask(_token_feeds(layout, rows[here], kept[here]))

        return one_by_one(one, len(rows))

    rule = (mask or find_rule(embed, tokens, pad_id)) if layout.mask else MaskRule.NONE
    kept = kept_tokens(tokens, pad_id) if rule is MaskRule.TOKENS else np.ones(tokens.shape, np.int64)
    return rule, kept, embed(tokens, kept)


def _token_feeds(layout: TextualLayout, rows: NDArray[np.int32], kept: NDArray[np.int64]) -> dict[str, NDArray[np.generic]]:
    """The original's inputs for rows and mask [N,L]."""
    feeds: dict[str, NDArray[np.generic]] = {layout.input: rows.astype(helper.tensor_dtype_to_np_dtype(layout.dtype))}
    if layout.mask:
        feeds[layout.mask] = kept.astype(helper.tensor_dtype_to_np_dtype(layout.mask_dtype))
    return feeds


def _mask(
    tower: Tower, layout: TextualLayout, rule: MaskRule, feeds: dict[str, NDArray[np.generic]], pad_id: int
) -> tuple[list[NodeProto], list[TensorProto]]:
    """Set the tower's batch free, and give what makes its mask from `tokens`."""
    if rule is MaskRule.ONES:  # as a constant, all that is computed from it folds away
        ones = numpy_helper.from_array(np.asarray(feeds[_MASK]), _MASK)
        tower.model.graph.initializer.append(ones)
        if tower.free_batch({_IDS: feeds[_IDS]}, layout.batch_fixed):
            return [], []
        tower.model.graph.initializer.remove(ones)
    else:
        tower.free_batch(feeds, layout.batch_fixed)
    return mask_nodes(rule, "tokens", _MASK, layout.mask_dtype, pad_id, feeds[_IDS].shape[1]) if layout.mask else ([], [])


def _metadata(kind: str, sha256: str) -> Mapping[str, str]:
    """What a served graph says of itself."""
    return {"triptych.layout": kind, "triptych.source_sha256": sha256}


def _report(tower: Tower, kind: str, size: int, mask: MaskRule, cosine: float, sha256: str, started: float) -> ImportReport:
    seconds, opset = time.monotonic() - started, surgery.opset(tower.model)
    return ImportReport(kind, size, tower.expected.shape[1], opset, tower.rewritten, tower.normalised, mask, cosine, sha256, seconds)
