"""Tensors of an answer -> embeddings, faces and analyses; what has another form than the models promise is a ServerError."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.calls import Call, Tensors
from triptych.errors import ServerError
from triptych.face import Face
from triptych.results import Analysis, Embedding
from triptych.wanted import Wanted

Dims = tuple[int | str, ...]  # a name stands for any length, the same wherever it appears


def embeddings(call: Call, tensors: Tensors) -> Embedding:
    """Float32 [b,D] of its own memory."""
    (output,) = _checked(call, tensors, {"embedding": (call.batch, "D")})
    return np.array(output, dtype=np.float32)


def faces(call: Call, tensors: Tensors) -> list[Face]:
    """The faces of one picture, in the server's order: the surest first."""
    boxes, landmarks, scores, rows = _checked(
        call, tensors, {"boxes": (1, "N", 4), "landmarks": (1, "N", 5, 2), "scores": (1, "N"), "embeddings": (1, "N", "D")}
    )
    found = zip(boxes[0].tolist(), landmarks[0], scores[0].tolist(), rows[0], strict=True)
    return [Face((x1, y1, x2, y2), points, score, row) for (x1, y1, x2, y2), points, score, row in found]


def analysis(call: Call, tensors: Tensors, wanted: Wanted) -> Analysis:
    """What was wanted about one picture."""
    (size,) = _checked(call, tensors, {"size": (1, 2)}, np.int32)
    width, height = size[0].tolist()
    return Analysis(
        embeddings(call, tensors)[0] if wanted.embedding else None,
        tuple(faces(call, tensors)) if wanted.faces else None,
        (width, height),
    )


def _checked(call: Call, tensors: Tensors, expected: Mapping[str, Dims], kind: type[np.generic] = np.float32) -> Sequence[NDArray[Any]]:
    lengths: dict[str, int] = {}  # of the names, by the first tensor that has them
    for name, dims in expected.items():
        tensor = tensors.get(name)
        if tensor is None:
            raise ServerError(f"the answer of {call.model!r} has no tensor {name!r}; is it the right kind of model?")
        wanted = [lengths.get(dim, dim) if isinstance(dim, str) else dim for dim in dims]
        fits = len(wanted) == tensor.ndim and all(isinstance(a, str) or a == b for a, b in zip(wanted, tensor.shape, strict=True))
        if tensor.dtype != kind or not fits:
            got, shape = f"{tensor.dtype} {list(tensor.shape)}", ", ".join(map(str, wanted))
            raise ServerError(f"{call.model!r} answered {name!r} as {got} where {np.dtype(kind).name} [{shape}] was expected")
        lengths |= {dim: length for dim, length in zip(dims, tensor.shape, strict=True) if isinstance(dim, str)}
    return [tensors[name] for name in expected]
