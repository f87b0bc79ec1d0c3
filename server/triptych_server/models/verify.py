"""The proof of an import: original and served graph run on the same input, embeddings in, the worst cosine (or a refusal) out."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych_server.errors import ModelImportError
from triptych_server.models.sessions import reason

MIN_COSINE = 0.99999
_UNIT = 1e-3  # how far from 1 a length may be that a graph gave in half precision
BATCHES = (1, 2, 3, 5)

Embeddings = NDArray[np.float32]
Run = Callable[[NDArray[Any]], Embeddings]


def one_by_one(run: Callable[[int], NDArray[Any]], count: int) -> Embeddings:
    """The original's embeddings [N,D], each row run alone; `run` gives that of one row [1,D]. Raises ModelImportError where it does not."""
    results = []
    for index in range(count):
        result = np.asarray(run(index), np.float32)
        if result.ndim != 2 or len(result) != 1:
            raise ModelImportError(f"the original gives {list(result.shape)} for one input; expected one embedding [1,D]")
        results.append(result[0])
    found: Embeddings = np.stack(results)
    if not np.isfinite(found).all() or not np.linalg.norm(found, axis=-1).all():
        raise ModelImportError("the original gives infinite or empty embeddings; its weights are damaged: pull the model again")
    return found


def is_unit_length(embeddings: Embeddings) -> bool:
    """Whether a graph normalises by itself: different inputs do not all come out with length 1 by chance."""
    return bool(np.all(np.abs(np.linalg.norm(embeddings.astype(np.float64), axis=-1) - 1) < _UNIT))


def check_agreement(run: Run, rows: NDArray[Any], expected: Embeddings) -> float:
    """Run the served graph on `rows` in batches of 1, 2, 3 and all; returns the worst cosine against `expected` [N,D].

    Raises ModelImportError where a batch fails, a cosine is below MIN_COSINE, a length is not 1, or a row got another's embedding.
    """
    reference = expected.astype(np.float64)
    reference /= np.linalg.norm(reference, axis=-1, keepdims=True)
    worst = 1.0
    for batch in BATCHES:
        try:
            found = np.concatenate([run(rows[at : at + batch]) for at in range(0, len(rows) - batch + 1, batch)])
        except Exception as error:  # onnxruntime has no common base class for its own errors
            raise ModelImportError(f"the imported graph does not run with a batch of {batch}: {reason(error)}") from error
        if found.dtype != np.float32 or found.shape[1:] != reference.shape[1:] or not np.isfinite(found).all():
            raise ModelImportError(f"the imported graph gives {found.dtype} {list(found.shape)} in batches of {batch}; expected one finite "
                                   f"float32 embedding of {reference.shape[1]} per input")  # fmt: skip
        rows_found, wanted = found.astype(np.float64), reference[: len(found)]
        lengths = np.linalg.norm(rows_found, axis=-1)
        cosine = float(((rows_found * wanted).sum(-1) / lengths).min())
        worst = min(worst, cosine)
        nearest = np.linalg.norm(rows_found[:, None] - reference[None], axis=-1).argmin(-1)
        own = np.arange(len(found))
        swapped = np.linalg.norm(reference[nearest] - wanted, axis=-1) > 1e-4  # equal inputs may swap
        if cosine < MIN_COSINE or np.any(np.abs(lengths - 1) > _UNIT) or np.any((nearest != own) & swapped):
            raise ModelImportError(
                f"original and imported graph do not agree in batches of {batch}: cosine {cosine:.6f}, expected at least {MIN_COSINE}. "
                "A graph whose embedding hangs on its neighbours in the batch (as with dynamic quantisation) cannot be served; "
                "export it in float32"
            )
    return worst
