"""Embeddings of a store in memory, float16 [n,D], kept up to date; every search looks at all of them, so nothing is missed."""

import threading
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from triptych.library.errors import LibraryError, LibraryIncomplete
from triptych.library.store import Store
from triptych.results import Embedding

Table = Literal["photo_vector", "face_vector"]
Ids = NDArray[np.int64]
_PART = 4096  # rows read from the store at a time


def stored(vector: Embedding) -> bytes:
    """An embedding as it is kept: float16, whose error in a cosine is below 1e-3."""
    return vector.astype("<f2").tobytes()


def restored(blob: bytes) -> Embedding:
    """float32 [D]."""
    return np.frombuffer(blob, "<f2").astype(np.float32)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`owners` int64 [n]: ids of photos or faces; `rows` float16 [n,D]: their embeddings. Nobody writes to either."""

    owners: Ids
    rows: NDArray[np.float16]

    def scores(self, query: Embedding) -> NDArray[np.float64]:
        """Cosines of one embedding float32 [D] with all: float64 [n]. Raises LibraryError for another D."""
        if not len(self.rows):
            return np.empty(0)
        if query.shape != self.rows.shape[1:]:
            raise LibraryError(f"the query has {query.shape[0]} numbers and the library's embeddings {self.rows.shape[1]}: another model")
        try:
            import numkong
        except ModuleNotFoundError as error:
            raise LibraryIncomplete(error) from None
        return np.asarray(numkong.cdist(query.astype(np.float16)[None], self.rows, metric="dot", threads=1), np.float64).reshape(-1)

    def best(self, query: Embedding, limit: int, among: Ids | None = None) -> list[tuple[int, float]]:
        """Owners and cosines of the `limit` nearest, best first; `among`: only these owners."""
        scores = self.scores(query)
        places = np.arange(len(scores)) if among is None else np.flatnonzero(np.isin(self.owners, among))
        if limit < len(places):
            places = places[np.argpartition(-scores[places], limit - 1)[:limit]]
        ordered = places[np.lexsort((self.owners[places], -scores[places]))]
        return [(int(self.owners[place]), float(scores[place])) for place in ordered]


class Vectors:
    """One table of embeddings, loaded at the first use; later only what was added since is read."""

    def __init__(self, store: Store, table: Table) -> None:
        self._store, self._table = store, table
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._ids: Ids = np.empty(0, np.int64)
        self._snapshot = Snapshot(np.empty(0, np.int64), np.empty((0, 0), np.float16))

    def snapshot(self) -> Snapshot:
        """All embeddings as they are now."""
        with self._lock:
            changes = self._store.changes()
            if changes != self._seen:
                self._refresh()
                self._seen = changes
            return self._snapshot

    def _refresh(self) -> None:
        """Rows are never changed, only added with a higher id and removed."""
        now = np.array(self._store.rows(f"SELECT id FROM {self._table} ORDER BY id"), np.int64).reshape(-1)
        kept = np.isin(self._ids, now)
        last = int(self._ids[-1]) if len(self._ids) else 0
        fresh = int((now > last).sum())
        if kept.all() and not fresh:
            return
        old = self._snapshot
        owners = [old.owners[kept]]
        rows = [old.rows[kept]] if kept.any() else []
        ids = [self._ids[kept]]
        while fresh > 0:
            part = self._store.rows(f"SELECT id, owner, vector FROM {self._table} WHERE id > ? ORDER BY id LIMIT {_PART}", (last,))
            if not part:
                break
            last, fresh = part[-1][0], fresh - len(part)
            ids.append(np.array([row[0] for row in part], np.int64))
            owners.append(np.array([row[1] for row in part], np.int64))
            rows.append(self._matrix([row[2] for row in part]))
        self._ids = np.concatenate(ids)
        self._snapshot = Snapshot(np.concatenate(owners), np.concatenate(rows) if rows else np.empty((0, 0), np.float16))

    def _matrix(self, blobs: list[Any]) -> NDArray[np.float16]:
        lengths = set(map(len, blobs))
        if len(lengths) != 1:
            raise LibraryError(f"{self._store.file} holds embeddings of several lengths; make them anew with triptych index --anew")
        return np.frombuffer(b"".join(blobs), "<f2").reshape(len(blobs), -1)
