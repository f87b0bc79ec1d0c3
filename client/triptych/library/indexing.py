"""Folders and a server -> a library that is up to date: what is new is sent, what moved is followed, what is gone is removed."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from triptych import bulk
from triptych.client import Client
from triptych.errors import InvalidInput, TriptychError
from triptych.face import Face
from triptych.library import files, picture
from triptych.library.errors import LibraryError
from triptych.library.files import File, Walk
from triptych.library.picture import Picture
from triptych.library.records import IndexReport, Progress
from triptych.library.store import Store
from triptych.library.vectors import stored
from triptych.library.witness import Witnesses
from triptych.results import Analysis

_END_SECONDS = 60.0  # that requests may take to end when a run ends early
_SAME_FACE = 0.5  # overlap of two boxes on one photo from which on they are the same face


@dataclass(frozen=True, slots=True)
class _Read:
    """One photo's file, read: `analysis` is None when a photo with the same content is in the library (or its file, moved)."""

    file: File
    picture: Picture
    analysis: Analysis | None


@dataclass(slots=True)
class Indexing:
    """One run. Each photo is a transaction of its own, so that a run that ends early has lost nothing of what it did."""

    store: Store
    client: Client
    concurrency: int
    retry: bool
    stop: threading.Event
    counts: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[str, str]] = field(default_factory=list)
    free: threading.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise InvalidInput(f"concurrency is at least 1, not {self.concurrency}")
        self.free = threading.Semaphore(self.concurrency)

    def run(self, folders: list[str], progress: Callable[[Progress], None]) -> IndexReport:
        found = files.walk(folders)
        self._check_there(folders, found)
        self.failed += [(path, "its name is not valid Unicode; rename it") for path in found.odd]
        wanted = self._wanted(found)
        total = len(wanted)
        Witnesses(self.store).check(self.client)
        progress(Progress(0, total, 0))
        done = 0
        with self._ended(), closing(bulk.in_order(self._read, wanted, self.concurrency)) as finished:
            for file, future in finished:
                error = future.exception()
                if error is None:
                    self._keep(future.result(), found)
                elif isinstance(error, TriptychError) and not error.concerns_server and not isinstance(error, LibraryError):
                    self._fail(file, error)
                else:
                    raise error
                done += 1
                progress(Progress(done, total, len(self.failed)))
                if self.stop.is_set():
                    break
        if done == total:
            self._remove(folders, found)
        return IndexReport(**self.counts, left=total - done, failed=tuple(self.failed), unread=tuple(found.unread))

    @contextmanager
    def _ended(self) -> Iterator[None]:
        """Leave only when no request is under way: one that is broken off can take Triton 2.51 down with it."""
        try:
            yield
        finally:
            until = time.monotonic() + _END_SECONDS
            for _ in range(self.concurrency):
                self.free.acquire(timeout=max(0.0, until - time.monotonic()))

    def _check_there(self, folders: list[str], found: Walk) -> None:
        for folder in folders:
            low, high = files.below(folder)
            known = self.store.value("SELECT count(*) FROM photo WHERE path >= ? AND path < ?", (low, high))
            if known and not any(low <= path < high for path in found.files):
                raise LibraryError(
                    f"{folder} is empty, and {known} photos of it are in the library: is its disk there? "
                    "If they are gone for good: triptych index --forget FOLDER"
                )

    def _wanted(self, found: Walk) -> list[File]:
        """Files that are new, or not as they were when they were indexed."""
        known = {path: stamp for path, *stamp in self.store.rows("SELECT path, size, mtime_ns, failure IS NOT NULL FROM photo")}
        wanted = []
        for file in found.files.values():
            size, mtime_ns, bad = known.get(file.path, (None, None, False))
            if (size, mtime_ns) != (file.size, file.mtime_ns) or (bad and self.retry):
                wanted.append(file)
            else:
                self.counts["known_bad" if bad else "unchanged"] += 1
        return wanted

    def _read(self, file: File) -> _Read:
        """In a worker: one request, or none for content that is known."""
        with self.free:
            return self._asked(file)

    def _asked(self, file: File) -> _Read:
        read = picture.read(file)
        known = self.store.value("SELECT 1 FROM photo JOIN photo_vector ON owner = photo.id WHERE hash = ?", (read.hash,))
        return _Read(file, read, None if known else self.client.analyze(read.data))

    def _keep(self, read: _Read, found: Walk) -> None:
        file = read.file
        with self.store.writing() as connection:
            here = self.store.value("SELECT id FROM photo WHERE path = ?", (file.path,))
            same = self._same_content(read, here, found) if read.analysis is None else None
            if read.analysis is None and same is None:  # removed since it was looked up
                read = _Read(file, read.picture, self.client.analyze(read.picture.data))
            if same is not None and same == here:  # touched, or tried again
                self.counts["unchanged"] += 1
            elif same is not None and here is None and not self._lies_there(same, found):
                connection.execute("UPDATE photo SET path = ? WHERE id = ?", (file.path, same))
                self.counts["moved"] += 1
                here = same
            else:
                self.counts["copied" if same is not None else "added" if here is None else "changed"] += 1
                here = self._row(file, here)
                if same is not None:
                    self._copy(same, here)
                else:
                    self._analyzed(here, read)
            connection.execute(
                "UPDATE photo SET size = ?, mtime_ns = ?, hash = ?, taken = ?, failure = NULL WHERE id = ?",
                (file.size, file.mtime_ns, read.picture.hash, read.picture.taken, here),
            )
        if read.analysis is not None and read.analysis.faces:
            self._witness(read)

    def _same_content(self, read: _Read, here: int | None, found: Walk) -> int | None:
        """The photo itself before others, and one whose file is gone before one that is still there."""
        rows = self.store.rows("SELECT photo.id FROM photo JOIN photo_vector ON owner = photo.id WHERE hash = ?", (read.picture.hash,))
        ids = [row[0] for row in rows]
        if here in ids:
            return here
        return min(ids, key=lambda one: (self._lies_there(one, found), one), default=None)

    def _lies_there(self, photo: int, found: Walk) -> bool:
        path = self.store.value("SELECT path FROM photo WHERE id = ?", (photo,))
        return path in found.files or Path(path).exists()

    def _row(self, file: File, here: int | None) -> int:
        if here is not None:
            return here
        with self.store.writing() as connection:
            return int(connection.execute("INSERT INTO photo (path, size, mtime_ns) VALUES (?, 0, -1)", (file.path,)).lastrowid or 0)

    def _analyzed(self, photo: int, read: _Read) -> None:
        analysis = read.analysis
        assert analysis is not None
        assert analysis.embedding is not None
        assert analysis.faces is not None
        with self.store.writing() as connection:
            connection.execute("UPDATE photo SET width = ?, height = ? WHERE id = ?", (*analysis.size, photo))
            connection.execute("DELETE FROM photo_vector WHERE owner = ?", (photo,))
            connection.execute("INSERT INTO photo_vector (owner, vector) VALUES (?, ?)", (photo, stored(analysis.embedding)))
            before = self.store.rows("SELECT id, x1, y1, x2, y2 FROM face WHERE photo = ?", (photo,))
            for face, known in _matched(analysis.faces, before):
                if known is None:
                    row = connection.execute(
                        "INSERT INTO face (photo, x1, y1, x2, y2, score) VALUES (?, ?, ?, ?, ?, ?)", (photo, *face.box, face.score)
                    ).lastrowid
                else:  # who it is stays
                    row = known
                    connection.execute(
                        "UPDATE face SET x1 = ?, y1 = ?, x2 = ?, y2 = ?, score = ? WHERE id = ?", (*face.box, face.score, row)
                    )
                    connection.execute("DELETE FROM face_vector WHERE owner = ?", (row,))
                    before = [old for old in before if old[0] != row]
                connection.execute("INSERT INTO face_vector (owner, vector) VALUES (?, ?)", (row, stored(face.embedding)))
            connection.executemany("DELETE FROM face WHERE id = ?", [(old[0],) for old in before])

    def _copy(self, source: int, photo: int) -> None:
        """A second file with the same content: no need to ask again."""
        with self.store.writing() as connection:
            connection.execute("DELETE FROM face WHERE photo = ?", (photo,))
            connection.execute("DELETE FROM photo_vector WHERE owner = ?", (photo,))
            connection.execute(
                "UPDATE photo SET (width, height) = (SELECT width, height FROM photo WHERE id = ?) WHERE id = ?", (source, photo)
            )
            connection.execute(
                "INSERT INTO photo_vector (owner, vector) SELECT ?, vector FROM photo_vector WHERE owner = ?", (photo, source)
            )
            for face, *values in self.store.rows(
                "SELECT id, x1, y1, x2, y2, score, person, look, state FROM face WHERE photo = ?", (source,)
            ):
                row = connection.execute(
                    "INSERT INTO face (photo, x1, y1, x2, y2, score, person, look, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (photo, *values),
                ).lastrowid
                connection.execute("INSERT INTO face_vector (owner, vector) SELECT ?, vector FROM face_vector WHERE owner = ?", (row, face))

    def _witness(self, read: _Read) -> None:
        assert read.analysis is not None
        if self.store.value("SELECT 1 FROM witness WHERE kind = 'face'"):
            return
        with suppress(InvalidInput):  # the server read it and we cannot: another photo will do
            Witnesses(self.store).keep_face(self.client, picture.opened(read.picture.data), read.analysis)

    def _fail(self, file: File, error: TriptychError) -> None:
        """A picture that is wrong is not sent again until it changes; what may go well another time is left for the next run."""
        self.failed.append((file.path, str(error)))
        if not isinstance(error, InvalidInput):
            return
        with self.store.writing() as connection:
            photo = self._row(file, self.store.value("SELECT id FROM photo WHERE path = ?", (file.path,)))
            connection.execute("DELETE FROM photo_vector WHERE owner = ?", (photo,))
            connection.execute("DELETE FROM face WHERE photo = ?", (photo,))
            connection.execute(
                "UPDATE photo SET size = ?, mtime_ns = ?, hash = NULL, failure = ? WHERE id = ?",
                (file.size, file.mtime_ns, str(error), photo),
            )

    def _remove(self, folders: list[str], found: Walk) -> None:
        """Photos whose files are gone; those of folders that could not be read stay."""
        kept = [files.below(folder) for folder in found.unread]
        gone = []
        for folder in folders:
            for photo, path in self.store.rows("SELECT id, path FROM photo WHERE path >= ? AND path < ?", files.below(folder)):
                if path not in found.files and not any(low <= path < high for low, high in kept):
                    gone.append(photo)
        with self.store.writing() as connection:
            connection.executemany("DELETE FROM photo WHERE id = ?", [(photo,) for photo in gone])
        self.counts["removed"] += len(gone)


def _matched(faces: Iterable[Face], before: list[tuple[int, float, float, float, float]]) -> Iterator[tuple[Face, int | None]]:
    """Every face with the id of the known one that lies where it lies."""
    left = dict.fromkeys(before)
    for face in faces:
        best = max(left, key=lambda old: _overlap(face.box, old[1:]), default=None)
        if best is not None and _overlap(face.box, best[1:]) >= _SAME_FACE:
            del left[best]
            yield face, best[0]
        else:
            yield face, None


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    union = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared
    return shared / union if union > 0 else 0.0
