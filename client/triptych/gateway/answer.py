"""Embeddings and faces -> JSON as Immich's server reads it: vectors as strings, whole-numbered boxes in pixels of the sent picture."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import orjson
from starlette.responses import Response

from triptych.face import Face
from triptych.gateway.picture import Header
from triptych.results import Embedding


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer; numpy's numbers in their shortest form."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status, media_type="application/json", headers=headers)


def vector(embedding: Embedding) -> str:
    """`[0.1,-0.25,1e-9]`: JSON in a string, each number the shortest that is the same float32. The photo server stores it as it is."""
    return orjson.dumps(np.ascontiguousarray(embedding, np.float32), option=orjson.OPT_SERIALIZE_NUMPY).decode()


def recognised(faces: Iterable[Face], header: Header) -> list[dict[str, Any]]:
    """Boxes, scores and embeddings, the surest first. Boxes may lie outside of the picture."""
    return [
        {
            "boundingBox": dict(zip(("x1", "y1", "x2", "y2"), map(float, map(round, header.box(face.box))), strict=True)),
            "embedding": vector(face.embedding),
            "score": np.float32(face.score),
        }
        for face in faces
    ]


def detected(faces: Iterable[Face], header: Header) -> dict[str, Any]:
    """What the detector alone finds: unrounded boxes, scores, landmarks."""
    found = list(faces)
    return {
        "boxes": [np.array(header.box(face.box), np.float32) for face in found],
        "scores": [np.float32(face.score) for face in found],
        "landmarks": [np.array([header.point(x, y) for x, y in face.landmarks.tolist()], np.float32) for face in found],
    }
