"""Brings a graph that embeds pictures, an image tower or a face embedder, into the served form: its layout is known, a report comes out."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych_server.models import samples, store
from triptych_server.models.layouts import VisualLayout
from triptych_server.models.mask import MaskRule
from triptych_server.models.picture_input import Scaling, served_image
from triptych_server.models.report import ImportReport
from triptych_server.models.served import Ask, original, provenance
from triptych_server.models.tower import Tower
from triptych_server.models.verify import Embeddings, one_by_one

_PICTURE = "triptych::picture"


def import_pictures(
    source: Path, target: Path, layout: VisualLayout, size: int, scaling: Scaling, *, external_above: int = store.EXTERNAL_ABOVE
) -> ImportReport:
    """Import `source`, whose layout is `layout`, into `target`, for pictures of `size` pixels a side.

    `scaling` is what the original wants done to the bytes, unless it takes bytes. Raises ModelImportError; `target` is then as it was.
    """
    started = time.monotonic()
    model = store.read(source)
    sha256 = store.fingerprint(model, source)
    pictures = samples.pictures(size)
    tower = Tower(model, _embed(original(source, [layout.output], target), layout, scaling, pictures))
    store.load_weights(model, source)
    tower.keep(layout.output, {layout.picture.name: _PICTURE}, "image")
    tower.free({_PICTURE: layout.picture.feed(pictures[:1], scaling)}, fixed=layout.picture.batch_fixed)
    layout.picture.lead_in(tower.model.graph, _PICTURE, scaling)
    tower.finish(served_image(size), provenance(layout.kind, sha256))
    cosine = tower.prove(target, pictures, external_above)
    return ImportReport.of(tower, layout.kind, size, MaskRule.NONE, cosine, sha256, started)


def _embed(ask: Ask, layout: VisualLayout, scaling: Scaling, pictures: NDArray[np.uint8]) -> Embeddings:
    """The original's embeddings of pictures uint8 [N,S,S,3]; `ask` is its session, which dies before the weights are loaded again."""

    def embed(index: int) -> NDArray[Any]:
        return ask({layout.picture.name: layout.picture.feed(pictures[index : index + 1], scaling)})[0]

    return one_by_one(embed, len(pictures))
