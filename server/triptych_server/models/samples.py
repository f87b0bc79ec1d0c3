"""What towers are checked on: drawn pictures and made-up token rows, the same on every machine."""

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, numpy_helper

from triptych_server.errors import ModelImportError

COUNT = 5
_SEED = 20240229


def pictures(size: int, count: int = COUNT) -> NDArray[np.uint8]:
    """`count` pictures uint8 [count, size, size, 3], photo-like: slow gradients, edges, some grain, full range."""
    random = np.random.default_rng(_SEED)
    y, x = np.mgrid[0:size, 0:size] / size
    drawn = []
    for _ in range(count):
        phase, speed = random.uniform(0, 6.3, 3), random.uniform(1, 5, (3, 2))
        picture = 0.5 + 0.4 * np.sin(speed[:, 0, None, None] * x + speed[:, 1, None, None] * y + phase[:, None, None])
        for _ in range(6):  # discs and bars, in front of each other
            centre, radius, colour = random.uniform(0, 1, 2), random.uniform(0.05, 0.3), random.uniform(0, 1, 3)
            disc = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2
            bar = (abs(x - centre[0]) < radius / 4) if random.random() < 0.5 else (abs(y - centre[1]) < radius / 4)
            picture = np.where(disc | bar, colour[:, None, None], picture)
        picture += random.normal(0, 0.02, picture.shape)
        drawn.append((picture.clip(0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0))
    return np.stack(drawn)


def token_rows(graph: GraphProto, source: str, length: int, pad_id: int, count: int = COUNT) -> NDArray[np.int32]:
    """`count` rows of ids int32 [count, length] as a tokenizer would give them: start, words, end, padding; the last row is full.

    The last two ids of the vocabulary start and end a row, as in CLIP. Raises ModelImportError where the vocabulary of the
    input `source` cannot be found in the graph.
    """
    size = _vocabulary(graph, source)
    start, end = size - 2, size - 1
    if not 0 <= pad_id < size:
        raise ModelImportError(f"pad id {pad_id} is not in the model's vocabulary of {size}; take it from the model's own tokenizer")
    words = np.array([word for word in range(min(4, size), size - 2) if word != pad_id], np.int32)
    if not len(words) or length < 4:
        raise ModelImportError(f"a vocabulary of {size} ids with {length} tokens to a text is too small for a text tower")
    random = np.random.default_rng(_SEED)
    rows = np.full((count, length), pad_id, np.int32)
    for index, row in enumerate(rows):
        used = length - 2 if index == count - 1 else 1 + (index + 1) * (length - 3) // (count + 1)
        row[: used + 2] = [start, *random.choice(words, used), end]
    return rows


def _vocabulary(graph: GraphProto, source: str) -> int:
    """The rows of the largest table that ids, or anything computed from them, are looked up in."""
    tables = {tensor.name: tensor.dims[0] for tensor in graph.initializer if len(tensor.dims) == 2}
    from_ids, sizes = {source}, []
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and len(node.attribute[0].t.dims) == 2:
            tables[node.output[0]] = numpy_helper.to_array(node.attribute[0].t).shape[0]
        elif node.op_type in ("Identity", "Cast", "DequantizeLinear") and node.input[0] in tables:
            tables[node.output[0]] = tables[node.input[0]]
        elif node.op_type == "Gather" and node.input[0] in tables and node.input[1] in from_ids:
            sizes.append(tables[node.input[0]])
        elif any(name in from_ids for name in node.input):
            from_ids.update(node.output)
    if not sizes:
        raise ModelImportError("no table of token embeddings was found in the text tower; expected a Gather from it by the token ids")
    return int(max(sizes))
