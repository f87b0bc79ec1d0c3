"""The proof of a detector's import: original and served graph on the same pictures, every anchor compared; how far apart, or a refusal."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych_server.errors import ModelImportError
from triptych_server.models.anchors import Detections
from triptych_server.models.served import Run
from triptych_server.models.sessions import reason

MAX_PIXELS = 0.01
MAX_SCORE = 1e-4
BATCHES = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Apart:
    """The largest differences over all anchors: of boxes and landmarks in pixels, and of scores."""

    pixels: float
    score: float


def check_original(expected: Detections) -> None:
    """ModelImportError for what cannot be the answers of a trained detector to different pictures."""
    if not all(np.isfinite(part).all() for part in (expected.boxes, expected.scores, expected.landmarks)):
        raise ModelImportError("the original gives infinite boxes or scores; its weights are damaged: pull the model again")
    if np.ptp(expected.boxes, axis=0).max() <= MAX_PIXELS:
        raise ModelImportError("the original gives the same boxes for different pictures; its weights are damaged: pull the model again")


def check_detections(run: Run, pictures: NDArray[np.uint8], expected: Detections) -> Apart:
    """Run the served graph on `pictures` in batches of 1, 2 and 3, each picture in every place, and compare row by row with `expected`.

    Raises ModelImportError where a batch fails, or an anchor is over MAX_PIXELS or MAX_SCORE apart.
    """
    worst = Apart(0.0, 0.0)
    for batch in BATCHES:
        for at in range(len(pictures) - batch + 1):
            rows = slice(at, at + batch)
            try:
                boxes, scores, landmarks = run(pictures[rows])
            except Exception as error:  # onnxruntime has no common base class for its own errors
                raise ModelImportError(f"the imported graph does not run with a batch of {batch}: {reason(error)}") from error
            pixels = max(_apart(boxes, expected.boxes[rows], batch), _apart(landmarks, expected.landmarks[rows], batch))
            worst = Apart(max(worst.pixels, pixels), max(worst.score, _apart(scores, expected.scores[rows], batch)))
        if not (worst.pixels <= MAX_PIXELS and worst.score <= MAX_SCORE):
            raise ModelImportError(
                f"original and imported graph do not agree in batches of {batch}: {worst.pixels:.3g} pixels and {worst.score:.2g} of score "
                f"apart, expected at most {MAX_PIXELS} and {MAX_SCORE:.0e}. A graph whose boxes hang on its neighbours in the batch "
                "cannot be served; export it in float32"
            )
    return worst


def _apart(found: NDArray[Any], wanted: NDArray[np.float32], batch: int) -> float:
    if found.shape != wanted.shape or found.dtype != np.float32:
        raise ModelImportError(
            f"the imported graph gives {found.dtype} {list(found.shape)} in batches of {batch}; expected float32 {list(wanted.shape)}"
        )
    return float(np.abs(found.astype(np.float64) - wanted).max())
