"""`python -m loadtest.library`: what searching and grouping a large library cost: made-up photos and faces in a real store.

Every "photo" is a direction near one of 400 subjects, every "face" one near a person; a third of the faces are strangers. Printed are
milliseconds from the query's embedding to the hits with their photos, the share of the true ten nearest (float32, brute force) that
was found, and seconds and memory of grouping. The time of the server to embed a text is not in it.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from triptych.library import Library, Only
from triptych.library.store import Store
from triptych.library.vectors import stored

T = TypeVar("T")
Rows = NDArray[np.float32]
SUBJECTS, SPREAD, STRANGERS = 400, 1.2, 1 / 3
LIMIT, WARM = 10, 3
_PART = 20_000


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.library", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--faces", type=int, default=300_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--queries", type=int, default=200)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "library.sqlite"
        store = Store(file)
        seconds, photos = _timed(lambda: add_photos(store, options.photos, options.dimension, rng))
        print(f"{options.photos} photos written in {seconds:.1f} s, {file.stat().st_size / 1e6:.0f} MB")
        store.close()
        with Library.open(file) as library:
            measure_search(library, photos, options.queries, rng)
        if not options.faces:
            return
        store = Store(file)
        truth = add_faces(store, options.faces, options.photos, options.dimension, rng)
        store.close()
        del photos
        with Library.open(file) as library:
            measure_people(library, truth)


def add_photos(store: Store, count: int, dimension: int, rng: np.random.Generator) -> Rows:
    """Put photos into a store; returns their embeddings float32 [count,D], of photo n + 1 in row n."""
    subjects = rng.standard_normal((SUBJECTS, dimension)).astype(np.float32)
    rows: Rows = subjects[rng.integers(SUBJECTS, size=count)] + SPREAD * rng.standard_normal((count, dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with store.writing() as connection:
        connection.executemany(
            "INSERT INTO photo (path, size, mtime_ns, width, height, taken) VALUES (?, 1, 1, 4000, 3000, ?)",
            ((f"/photos/{n % 200:03}/{n:06}.jpg", f"{2000 + n % 25}-06-01T12:00:00") for n in range(count)),
        )
        connection.executemany(
            "INSERT INTO photo_vector (owner, vector) VALUES (?, ?)", ((n + 1, stored(row)) for n, row in enumerate(rows))
        )
    return rows


def add_faces(store: Store, count: int, photos: int, dimension: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Put faces into a store; returns whose they are, -1 for strangers. How often somebody was met falls as 1 / rank."""
    known = int(count * (1 - STRANGERS))
    people = max(1, count // 60)
    weights = 1 / np.arange(1, people + 1)
    truth: NDArray[np.int64] = np.concatenate([rng.choice(people, known, p=weights / weights.sum()), np.full(count - known, -1)])
    rng.shuffle(truth)
    centres = rng.standard_normal((people, dimension)).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    with store.writing() as connection:
        for start in range(0, count, _PART):
            whose = truth[start : start + _PART]
            noise = rng.standard_normal((len(whose), dimension)).astype(np.float32) / np.sqrt(dimension)
            rows = np.where(whose[:, None] >= 0, centres[whose] + 0.7 * noise, noise)  # cosines of one person: about 0.67
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            ids = range(start + 1, start + len(whose) + 1)
            places = rng.integers(1, photos + 1, len(whose)).tolist()
            connection.executemany(
                "INSERT INTO face (id, photo, x1, y1, x2, y2, score) VALUES (?, ?, 0, 0, 99, 99, 0.9)", zip(ids, places, strict=True)
            )
            connection.executemany("INSERT INTO face_vector (owner, vector) VALUES (?, ?)", zip(ids, map(stored, rows), strict=True))
    return truth


def measure_search(library: Library, photos: Rows, count: int, rng: np.random.Generator) -> None:
    """Latency and recall of all kinds of searches, after the first, which loads the embeddings."""
    queries = photos[rng.integers(len(photos), size=count)] + rng.standard_normal((count, photos.shape[1])).astype(np.float32) * 0.05
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    seconds, _ = _timed(lambda: library.nearest(queries[0], limit=LIMIT))
    print(f"the first search loads the embeddings: {seconds:.2f} s")
    for name, only, mask in _searches(len(photos)):
        times, plain, recalls = [], [], []
        for at, query in enumerate(queries):
            seconds, hits = _timed(partial(library.nearest, query, only=only, limit=LIMIT))
            brute, scores = _timed(partial(np.matmul, photos, query))
            scores = np.where(mask, scores, -2)
            true = set((np.argpartition(-scores, LIMIT)[:LIMIT] + 1).tolist())
            recalls.append(len(true & {hit.photo.id for hit in hits}) / LIMIT)
            if at >= WARM:
                times.append(1e3 * seconds)
                plain.append(1e3 * brute)
        p50, p95 = np.percentile(times, (50, 95))
        print(f"search, {name}: median {p50:.1f} ms, p95 {p95:.1f} ms, recall@{LIMIT} {np.mean(recalls):.4f}")
        print(f"    NumPy's product with all float32 rows alone, in turns with it: median {np.median(plain):.1f} ms")


def measure_people(library: Library, truth: NDArray[np.int64]) -> None:
    """Time, memory and correctness of grouping all faces at once, and the time of grouping when nothing is new."""
    seconds, new = _timed(library.people.group)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    found = np.full(len(truth), -1)
    for person in library.people.all():
        found[[face.id - 1 for face in library.people.faces(person.id)]] = person.id
    pairs = _pairs(np.stack([truth, found])[:, (truth >= 0) & (found >= 0)])
    right = pairs / max(1, _pairs(found[None, found >= 0]))
    complete = pairs / max(1, _pairs(truth[None, truth >= 0]))
    print(f"grouping {len(truth)} faces: {seconds:.0f} s, {new} people, pairs right {right:.4f}, pairs found {complete:.4f}")
    print(f"memory of all of it: {peak:.1f} GB at most")
    print(f"grouping again: {_timed(library.people.group)[0]:.2f} s")


def _pairs(labels: NDArray[np.int64]) -> float:
    """How many pairs of columns are equal."""
    _, counts = np.unique(labels, axis=1, return_counts=True)
    return float((counts.astype(np.float64) * (counts - 1) / 2).sum())


def _searches(count: int) -> Iterator[tuple[str, Only | None, NDArray[np.bool_]]]:
    numbers = np.arange(count)
    yield "all photos", None, np.ones(count, bool)
    yield "five of 25 years", Only(since=date(2005, 1, 1), until=date(2009, 12, 31)), (numbers % 25 >= 5) & (numbers % 25 <= 9)
    yield "one of 200 folders", Only(folder=Path("/photos/007")), numbers % 200 == 7


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


if __name__ == "__main__":
    main()
