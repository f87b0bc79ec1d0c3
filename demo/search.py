"""Search through an album: pictures go to `search_image`, queries to `search_text`, and the nearest pictures come out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from demo.contact_sheet import PER_ROW, Hit, Row
from triptych import Client, TriptychError
from triptych.results import Embedded

_CONCURRENCY = 16
_LISTED = 3  # hits of a query in the table; the sheet shows more


@dataclass(frozen=True, slots=True)
class Album:
    """Pictures and their embeddings f32 [n, D], and what was skipped with the reason why."""

    paths: tuple[Path, ...]
    embeddings: NDArray[np.float32]
    skipped: tuple[tuple[Path, str], ...]


def embed_album(client: Client, paths: Sequence[Path], done: Callable[[], None]) -> Album:
    """Send every picture to `search_image`; unreadable ones are noted and left out. `done` is called for each picture."""
    skipped: list[tuple[Path, str]] = []
    embedded: list[Embedded[Path]] = []

    def skip(path: Path, error: TriptychError) -> None:
        skipped.append((path, str(error)))
        done()

    for item in client.embed_images(paths, concurrency=_CONCURRENCY, on_error=skip):
        embedded.append(item)
        done()
    if not embedded:
        raise TriptychError(f"none of the {len(paths)} pictures could be embedded; the first: {skipped[0][1]}")
    return Album(tuple(item.image for item in embedded), np.stack([item.embedding for item in embedded]), tuple(skipped))


def search(client: Client, album: Album, queries: Sequence[str]) -> list[Row]:
    """The best pictures of the album for each query, by cosine similarity."""
    rows = []
    for query, scores in zip(queries, client.embed_text(list(queries)) @ album.embeddings.T, strict=True):
        best = np.argsort(-scores)[:PER_ROW]
        rows.append(Row(query, tuple(Hit(album.paths[i], float(scores[i])) for i in best)))
    return rows


def hits_table(rows: Sequence[Row]) -> Table:
    """The first hits of each query."""
    table = Table("query", "rank", "picture", "score", title="Search")
    for row in rows:
        hits = row.hits[:_LISTED]
        for rank, hit in enumerate(hits, start=1):
            query = row.query if rank == 1 else ""
            table.add_row(Text(query), str(rank), Text(hit.path.name), f"{hit.score:.3f}", end_section=rank == len(hits))
    return table
