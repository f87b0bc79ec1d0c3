"""`Library`: photos of folders, kept with their embeddings and faces in one file, to be searched by text, likeness, person and date."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from triptych.client import Client
from triptych.errors import InvalidInput
from triptych.library import duplicates, files, overview
from triptych.library.errors import LibraryError, LibraryIncomplete, NotInLibrary
from triptych.library.indexing import Indexing
from triptych.library.people import LibraryPeople
from triptych.library.picture import read, sendable
from triptych.library.records import Hit, IndexReport, KnownFace, Photo, Progress
from triptych.library.running import Running, only_run, running
from triptych.library.store import Store
from triptych.library.vectors import Ids, Vectors, restored
from triptych.library.witness import TEXT, Witnesses
from triptych.results import Embedding

LIMIT = 20
_COLUMNS = "photo.id, path, width, height, taken"


def default_file() -> Path:
    """Where a user's library is kept unless another file is named."""
    try:
        import platformdirs
    except ModuleNotFoundError as error:
        raise LibraryIncomplete(error) from None
    return platformdirs.user_data_path("triptych") / "library.sqlite"


@dataclass(frozen=True, slots=True)
class Only:
    """Which photos a search looks at; what is not given does not matter.

    `people`: ids or names, who are all on the photo. `since`, `until`: local dates or times of the photo, both included. `folder`: an
    absolute path.
    """

    people: Sequence[str | int] = ()
    since: date | None = None
    until: date | None = None
    folder: Path | None = None


class Library:
    """One library; any number of threads may share it, and other processes may open the same file.

    Every method that asks the server takes its `client`; nothing of it is kept. Raises LibraryError or one of its kinds, and what
    the client raises.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._photos = Vectors(store, "photo_vector")
        self.people = LibraryPeople(store)

    @classmethod
    def open(cls, file: Path | None = None, *, make: bool = True) -> Self:
        """Open a library's file, the user's own by default; made when it is not there, or, without `make`, LibraryError."""
        path = (file or default_file()).expanduser()
        if not make and not path.exists():
            raise LibraryError(f"there is no library {path}; to make it: triptych index FOLDER")
        return cls(Store(path))

    @property
    def file(self) -> Path:
        return self._store.file

    @property
    def folders(self) -> list[Path]:
        """Folders that were indexed and not forgotten."""
        return [Path(row[0]) for row in self._store.rows("SELECT path FROM root ORDER BY path")]

    def years(self) -> dict[int, int]:
        """Years of photos, the newest first, and how many there are of each."""
        return overview.years(self._store)

    def subfolders(self, folder: Path) -> dict[Path, int]:
        """Folders directly in one (an absolute path) by name, and how many photos lie in and below each."""
        return overview.subfolders(self._store, folder)

    def count(self, folder: Path) -> int:
        """How many photos lie in a folder (an absolute path) and below it."""
        return overview.count(self._store, folder)

    def __len__(self) -> int:
        """How many photos can be found."""
        return int(self._store.value("SELECT count(*) FROM photo_vector"))

    def index(
        self,
        folders: Iterable[Path] | Path,
        client: Client,
        *,
        concurrency: int = 16,
        retry: bool = False,
        progress: Callable[[Progress], None] = lambda _: None,
        stop: threading.Event | None = None,
    ) -> IndexReport:
        """Bring the photos of folders up to date, those below included; no folder: all that were indexed before.

        New and changed photos are sent, `concurrency` at a time; moved ones keep their id; those that are gone are removed; new faces
        are put to people. Whatever ends it early, what was done is kept, and the next call goes on; setting `stop` ends it after the
        photo at hand, when all requests are answered. `retry`: send what failed once more. Raises LibraryError while another run is
        going on.
        """
        given = [folders] if isinstance(folders, Path) else list(folders)
        roots = list(dict.fromkeys(files.resolved(folder) for folder in given or self.folders))
        if not roots:
            raise NotInLibrary("no folder is indexed yet; name one")
        with only_run(self.file) as run:

            def tell(now: Progress) -> None:
                run.tell(now)
                progress(now)

            with self._store.writing() as connection:
                connection.executemany("INSERT OR IGNORE INTO root VALUES (?)", [(root,) for root in roots])
            report = Indexing(self._store, client, concurrency, retry, stop or threading.Event()).run(roots, tell)
            return report if report.left else report.with_people(self.people.group())

    def running(self) -> Running | None:
        """How far the index run is that is going on, in this process or another; None when there is none."""
        return running(self.file)

    def begin_anew(self) -> None:
        """Drop all embeddings: the next `index` makes them with whatever model is served. Photos, people and their names stay.

        Raises LibraryError while a run is going on, which would mix the two.
        """
        with only_run(self.file), self._store.writing() as connection:
            connection.execute("DELETE FROM photo_vector")
            connection.execute("DELETE FROM face_vector")
            connection.execute("UPDATE photo SET mtime_ns = -1")
            connection.execute("UPDATE face SET state = 0 WHERE state = 1 AND person IS NULL")
            Witnesses(self._store).forget()

    def forget(self, folder: Path) -> int:
        """Remove a folder's photos from the library (never from the disk); returns how many. Raises LibraryError while a run is going
        on, which would bring them back."""
        low, high = files.below(str(folder.expanduser().absolute()))
        with only_run(self.file):
            with self._store.writing() as connection:
                connection.execute("DELETE FROM root WHERE path = ? OR (path >= ? AND path < ?)", (low[:-1], low, high))
                gone = connection.execute("DELETE FROM photo WHERE path >= ? AND path < ?", (low, high)).rowcount
            self.people.group()
        return gone

    def covers(self, folder: Path) -> bool:
        """Whether a folder, or one above it, was indexed."""
        path = folder.resolve()
        return any(path.is_relative_to(root) for root in self.folders)

    def search(self, text: str, client: Client, *, only: Only | None = None, limit: int = LIMIT, language: str | None = None) -> list[Hit]:
        """Photos that fit a text best. Raises ModelChanged when another model is served than the one that made the library."""
        said = client.embed_text([TEXT, text], language=language)
        if language is not None:  # the text that is kept was asked without one
            said[0] = client.embed_text(TEXT)
        Witnesses(self._store).check_text(said[0])
        return self.nearest(said[1], only=only, limit=limit)

    def nearest(self, query: Embedding, *, only: Only | None = None, limit: int = LIMIT) -> list[Hit]:
        """Photos whose embeddings are nearest to one, float32 [D], of the model that made the library; exact."""
        return self._hits(self._photos.snapshot().best(query, limit, self._among(only)))

    def similar(
        self, photo: Path | int | bytes, client: Client | None = None, *, only: Only | None = None, limit: int = LIMIT
    ) -> list[Hit]:
        """Photos that look like one, which is not among them: a photo of the library (its path or id), or, with a client, any file or
        encoded picture (bytes)."""
        own = None if isinstance(photo, bytes) else self._id_of(photo)
        blob = self._store.value("SELECT vector FROM photo_vector WHERE owner = ?", (own,))
        if blob is not None:
            query = restored(blob)
        elif client is None or isinstance(photo, int):
            shown = "this picture" if isinstance(photo, bytes) else photo
            raise NotInLibrary(f"{shown} is not in the library; index it first, or hand in a client that can ask about it")
        else:
            Witnesses(self._store).check(client)
            query = client.embed_image(sendable(photo) if isinstance(photo, bytes) else read(self._status(photo)).data)
        found = self._photos.snapshot().best(query, limit + 1, self._among(only))
        return self._hits([hit for hit in found if hit[0] != own][:limit])

    def duplicates(self, threshold: float = duplicates.ALIKE) -> list[list[Photo]]:
        """Groups of photos that show the same, the largest group first; `threshold` is a cosine."""
        groups = duplicates.groups(self._photos.snapshot(), threshold)
        photos = self._by_id({photo for group in groups for photo in group})
        return [[photos[photo] for photo in group if photo in photos] for group in groups]

    def photos(self, *, only: Only | None = None, limit: int = LIMIT, offset: int = 0) -> list[Photo]:
        """Photos by date, the newest first."""
        where, values = self._where(only or Only())
        rows = self._store.rows(
            f"SELECT {_COLUMNS} FROM photo WHERE failure IS NULL AND {where} ORDER BY taken DESC, photo.id LIMIT ? OFFSET ?",
            (*values, limit, offset),
        )
        return [_photo(row) for row in rows]

    def photo(self, photo: int) -> Photo:
        """By its id. Raises NotInLibrary."""
        found = self._by_id({photo})
        if photo not in found:
            raise NotInLibrary(f"there is no photo {photo} in the library")
        return found[photo]

    def faces(self, photo: int) -> list[KnownFace]:
        """The faces on a photo, the surest first."""
        known = self.photo(photo)
        rows = self._store.rows("SELECT id, x1, y1, x2, y2, score, person FROM face WHERE photo = ? ORDER BY score DESC, id", (photo,))
        return [KnownFace(face, known, (x1, y1, x2, y2), score, person) for face, x1, y1, x2, y2, score, person in rows]

    def failures(self) -> list[tuple[Path, str]]:
        """Files that could not be indexed, and why."""
        return [
            (Path(path), why) for path, why in self._store.rows("SELECT path, failure FROM photo WHERE failure IS NOT NULL ORDER BY path")
        ]

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _id_of(self, photo: Path | int) -> int | None:
        column, value = ("id", photo) if isinstance(photo, int) else ("path", str(photo.resolve()))
        found = self._store.value(f"SELECT id FROM photo WHERE {column} = ?", (value,))
        return None if found is None else int(found)

    @staticmethod
    def _status(path: Path) -> files.File:
        try:
            status = path.stat()
        except OSError as error:
            raise InvalidInput(f"cannot read {path}: {error.strerror or error}") from None
        return files.File(str(path), status.st_size, status.st_mtime_ns)

    def _among(self, only: Only | None) -> Ids | None:
        if only is None or only == Only():
            return None
        where, values = self._where(only)
        return np.array(self._store.rows(f"SELECT photo.id FROM photo WHERE {where}", values), np.int64).reshape(-1)

    def _where(self, only: Only) -> tuple[str, list[str | int]]:
        parts, values = ["TRUE"], list[str | int]()
        for who in only.people:
            parts.append("photo.id IN (SELECT photo FROM face WHERE person = ?)")
            values.append(self.people.find(who).id)
        if only.since is not None:
            parts.append("taken >= ?")
            values.append(only.since.isoformat())
        if only.until is not None:
            last = only.until if isinstance(only.until, datetime) else datetime.combine(only.until, time.max)
            parts.append("taken <= ?")
            values.append(last.isoformat(timespec="seconds"))
        if only.folder is not None:
            parts.append("path >= ? AND path < ?")
            values += files.below(str(only.folder))
        return " AND ".join(parts), values

    def _hits(self, best: list[tuple[int, float]]) -> list[Hit]:
        photos = self._by_id({photo for photo, _ in best})
        return [Hit(photos[photo], score) for photo, score in best if photo in photos]

    def _by_id(self, ids: set[int]) -> dict[int, Photo]:
        rows = self._store.rows_of(f"SELECT {_COLUMNS} FROM photo WHERE failure IS NULL AND photo.id IN", ids)
        return {row[0]: _photo(row) for row in rows}


def _photo(row: tuple[int, str, int, int, str]) -> Photo:
    photo, path, width, height, taken = row
    return Photo(photo, Path(path), (width, height), taken)
