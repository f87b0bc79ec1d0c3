"""What an import found and what it made of it."""

import time
from dataclasses import dataclass
from typing import Self

from triptych_server.models import surgery
from triptych_server.models.mask import MaskRule
from triptych_server.models.tower import Tower


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Of a graph that embeds."""

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

    @classmethod
    def of(cls, tower: Tower, kind: str, size: int, mask: MaskRule, cosine: float, sha256: str, started: float) -> Self:
        """Of a finished tower; `started` by time.monotonic()."""
        seconds, opset = time.monotonic() - started, surgery.opset(tower.model)
        return cls(kind, size, tower.expected.shape[1], opset, tower.rewritten, tower.normalised, mask, cosine, sha256, seconds)


@dataclass(frozen=True, slots=True)
class DetectorReport:
    """Of a graph that detects faces. `apart_pixels` and `apart_score`: how far the served graph is from the original at worst."""

    layout: str
    size: int  # pixels a side
    anchors: int
    per_cell: int
    opset: int
    rewritten: int  # nodes that held the batch and were changed
    sigmoid: bool  # the original gave logits
    apart_pixels: float
    apart_score: float
    source_sha256: str
    seconds: float
