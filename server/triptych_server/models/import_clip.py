"""Brings a CLIP tower into the served form: an ONNX as found in the wild goes in, `target` holds the served graph, a report comes out.

The served graphs: `image` UINT8 [B,S,S,3] RGB, or `tokens` INT32 [B,L], to `embedding` FP32 [B,D] of unit length. Nothing is put in
the target's place before the new graph has agreed with the original on the same input, in several batch sizes.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from triptych_server.errors import ModelImportError
from triptych_server.models import layouts, samples, store, surgery
from triptych_server.models.import_pictures import import_pictures
from triptych_server.models.layouts import TextualLayout
from triptych_server.models.mask import MaskRule, find_rule, kept_tokens, mask_nodes
from triptych_server.models.picture_input import Scaling
from triptych_server.models.preprocess import Preprocess
from triptych_server.models.report import ImportReport
from triptych_server.models.served import Ask, original, provenance
from triptych_server.models.tower import Tower
from triptych_server.models.verify import Embeddings, one_by_one

_IDS, _MASK = "triptych::ids", "triptych::mask"


def import_visual(source: Path, target: Path, *, preprocess: Preprocess, external_above: int = store.EXTERNAL_ABOVE) -> ImportReport:
    """Import the image tower of `source` into `target`.

    `preprocess` gives the size where the graph leaves it open, and mean and std where the graph does not normalise.
    Weights above `external_above` bytes go to a sidecar. Raises ModelImportError; `target` is then as it was.
    """
    layout = layouts.recognise_visual(store.read(source))
    size = layout.picture.size or preprocess.size
    if size != preprocess.size:
        raise ModelImportError(
            f"the graph takes pictures of {size} pixels, the model's files say {preprocess.size}; "
            "correct `size` in preprocess_cfg.json (or image_size in config.json)"
        )
    return import_pictures(source, target, layout, size, Scaling(preprocess.mean, preprocess.std), external_above=external_above)


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
    rule, kept, expected = _embed_tokens(original(source, [layout.output], target), layout, tokens, pad_id, mask)
    tower = Tower(model, expected)
    store.load_weights(model, source)
    names = {layout.input: _IDS} | ({layout.mask: _MASK} if layout.mask else {})
    tower.keep(layout.output, names, "tokens")
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
    tower.finish(served, provenance(layout.kind, sha256))
    cosine = tower.prove(target, tokens, external_above)
    return ImportReport.of(tower, layout.kind, context_length, rule, cosine, sha256, started)


def _embed_tokens(
    ask: Ask, layout: TextualLayout, tokens: NDArray[np.int32], pad_id: int, mask: MaskRule | None
) -> tuple[MaskRule, NDArray[np.int64], Embeddings]:
    """The mask's rule, the mask [N,L] by this rule, and the original's embeddings of `tokens` [N,L] under it."""

    def embed(rows: NDArray[np.int32], kept: NDArray[np.int64]) -> Embeddings:
        def one(index: int) -> NDArray[Any]:
            here = slice(index, index + 1)
            return ask(_token_feeds(layout, rows[here], kept[here]))[0]

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
        if tower.free({_IDS: feeds[_IDS]}, fixed=layout.batch_fixed):
            return [], []
        tower.model.graph.initializer.remove(ones)
    else:
        tower.free(feeds, fixed=layout.batch_fixed)
    return mask_nodes(rule, "tokens", _MASK, layout.mask_dtype, pad_id, feeds[_IDS].shape[1]) if layout.mask else ([], [])
