"""Who is on an album: photos go to `faces`, the embeddings that come back are grouped, and the groups become a sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from demo.faces.grouping import group_faces
from demo.faces.sheet import FaceOnPhoto
from triptych import Client, TriptychError

_CONCURRENCY = 8


def people_on(client: Client, paths: Sequence[Path], done: Callable[[], None]) -> list[list[FaceOnPhoto]]:
    """The faces of each person, the one who was met most often first; unreadable photos are left out. `done` is called for each photo."""
    embeddings, faces = [], []

    def skip(_: Path, __: TriptychError) -> None:
        done()

    for path, found in client.faces_in_images(paths, concurrency=_CONCURRENCY, on_error=skip):
        done()
        for face in found:
            faces.append(FaceOnPhoto(path, face.box))
            embeddings.append(face.embedding)
    if not faces:
        return []
    return [[faces[row] for row in group] for group in group_faces(np.stack(embeddings))]
