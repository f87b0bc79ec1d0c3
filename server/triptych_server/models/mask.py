"""The attention mask of a text tower: which rule its model was made with, and the nodes that make it from the tokens in the graph."""

from collections.abc import Callable
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

_SAME = 1e-9  # 1 - cosine: far above the float error of two runs (1e-13), far below what a hidden token does

Tokens = NDArray[np.int32]
Embed = Callable[[Tokens, NDArray[np.int64]], NDArray[np.float32]]


class MaskRule(Enum):
    """What the served graph makes of the attention mask; the value is what reports say."""

    NONE = "no mask input"
    ONES = "all ones"
    TOKENS = "tokens that are not padding"


def find_rule(embed: Embed, tokens: Tokens, pad_id: int) -> MaskRule:
    """The rule that agrees with how the model is used, from its behaviour; `embed` runs the original on (tokens, mask).

    - The mask changes nothing: a causal tower (CLIP) whose end token never sees the padding. ONES, what transformers does
      without a mask and, to the last bit that counts, with one.
    - Under the mask the padding's ids change nothing: it is properly hidden, and was in training (M-CLIP, Chinese CLIP). TOKENS.
    - They do change something: the tower pools at padding, so it was trained without a mask (SigLIP). ONES.
    """
    kept = kept_tokens(tokens, pad_id)
    ones = embed(tokens, np.ones_like(kept))
    masked = embed(tokens, kept)
    if _agree(ones, masked):
        return MaskRule.ONES
    other = np.where(kept == 1, tokens, np.int32((pad_id + 1) if pad_id == 0 else pad_id - 1))
    return MaskRule.TOKENS if _agree(masked, embed(other, kept)) else MaskRule.ONES


def kept_tokens(tokens: Tokens, pad_id: int) -> NDArray[np.int64]:
    """A tokenizer's mask int64 [B,L]: 0 on padding, 1 elsewhere, and on the first padding id where this id ends the text (CLIP)."""
    kept: NDArray[np.int64] = (tokens != pad_id).astype(np.int64)
    if pad_id == tokens.max():
        kept[np.arange(len(tokens)), (tokens == pad_id).argmax(-1)] = 1
    return kept


def mask_nodes(rule: MaskRule, tokens: str, target: str, dtype: int, pad_id: int, length: int) -> tuple[list[NodeProto], list[TensorProto]]:
    """Nodes from `tokens` int32 [B,L] to the mask `target` [B,L] of type `dtype`."""
    if rule is MaskRule.TOKENS:
        pad = numpy_helper.from_array(np.array(pad_id, np.int32), "triptych::pad_id")
        nodes = [
            helper.make_node("Equal", [tokens, pad.name], ["triptych::is_pad"], "triptych::Equal"),
            helper.make_node("Not", ["triptych::is_pad"], ["triptych::kept"], "triptych::Not"),
            helper.make_node("Cast", ["triptych::kept"], [target], "triptych::Cast.mask", to=dtype),
        ]
        return nodes, [pad]
    one = numpy_helper.from_array(np.ones((1, length), helper.tensor_dtype_to_np_dtype(dtype)), f"{target}::row")
    sizes = "triptych::tokens_shape"
    nodes = [
        helper.make_node("Shape", [tokens], [sizes], "triptych::Shape"),
        helper.make_node("Expand", [one.name, sizes], [target], "triptych::Expand"),
    ]
    return nodes, [one]


def _agree(left: NDArray[np.float32], right: NDArray[np.float32]) -> bool:
    """Whether two runs gave the same embeddings, row by row."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    cosine = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
    return bool(np.all(1 - cosine < _SAME))
