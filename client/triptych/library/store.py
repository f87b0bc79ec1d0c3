"""The library's file: one SQLite database with photos, faces, people and every embedding, changed in transactions only."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from triptych.library.errors import LibraryError

VERSION = 1
_APPLICATION = 0x54525031  # SQLite's application_id: tells our files from others'
_LOCK_SECONDS = 30.0  # how long another process may hold the file
_VARIABLES = 500  # of one statement; SQLite's own limit was 999 once
_SCHEMA = """
CREATE TABLE root (path TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE photo (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,       -- bytes; with mtime_ns it tells whether the file is as it was indexed
    mtime_ns INTEGER NOT NULL,   -- -1: to be indexed anew
    hash BLOB,                   -- BLAKE2b of the file, by which a moved one is known again
    width INTEGER, height INTEGER,
    taken TEXT,                  -- local time, YYYY-MM-DDTHH:MM:SS
    failure TEXT                 -- why it could not be indexed
);
CREATE INDEX photo_hash ON photo (hash);
CREATE INDEX photo_taken ON photo (taken);
CREATE TABLE person (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE COLLATE NOCASE);
CREATE TABLE face (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    photo INTEGER NOT NULL REFERENCES photo ON DELETE CASCADE,
    x1 REAL NOT NULL, y1 REAL NOT NULL, x2 REAL NOT NULL, y2 REAL NOT NULL,
    score REAL NOT NULL,
    person INTEGER REFERENCES person ON DELETE SET NULL,
    look INTEGER,  -- faces of one person that are alike; whom a user merged has several: child and adult, with and without a beard
    state INTEGER NOT NULL DEFAULT 0  -- 0: new; 1: was looked at for grouping; 2: a user said that it is none of the people
);
CREATE INDEX face_photo ON face (photo);
CREATE INDEX face_person ON face (person);
CREATE TABLE apart (  -- people whom a user separated
    one INTEGER REFERENCES person ON DELETE CASCADE,
    other INTEGER REFERENCES person ON DELETE CASCADE,
    PRIMARY KEY (one, other)
);
CREATE TABLE photo_vector (  -- apart from `photo`, so that looking through photos does not read them
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL UNIQUE REFERENCES photo ON DELETE CASCADE,
    vector BLOB NOT NULL
);
CREATE TABLE face_vector (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL UNIQUE REFERENCES face ON DELETE CASCADE,
    vector BLOB NOT NULL
);
CREATE TABLE witness (kind TEXT PRIMARY KEY, picture BLOB, vector BLOB NOT NULL) WITHOUT ROWID;
"""


class Store:
    """A connection that any number of threads share; other processes may read and write the same file.

    What a `with store.writing()` block changed is kept as a whole when the block ends, and undone when it raises, or the process dies.
    """

    def __init__(self, file: Path) -> None:
        """Open `file`, made when it is not there, for its user's eyes alone: faces tell who was met. Raises LibraryError for a file that
        is something else."""
        self.file = file
        self._lock = threading.RLock()
        file.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))  # SQLite gives the files beside it the same rights
        try:
            self._connection = sqlite3.connect(file, timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False)
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise LibraryError(f"{file} cannot be opened as a library: {error}") from None

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query, as tuples."""
        with self._lock, self._told():
            return self._connection.execute(statement, values).fetchall()

    def rows_of(self, statement: str, keys: Iterable[int]) -> list[Any]:
        """All rows of a query that ends in `IN`, for any number of keys."""
        wanted = list(keys)
        parts = (wanted[start : start + _VARIABLES] for start in range(0, len(wanted), _VARIABLES))
        return [row for part in parts for row in self.rows(f"{statement} ({','.join('?' * len(part))})", part)]

    def value(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """The first column of the first row; None where there is none."""
        with self._lock, self._told():
            row = self._connection.execute(statement, values).fetchone()
        return row[0] if row else None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; blocks of one thread may be nested, and the outermost is what counts. Raises LibraryError where the file cannot
        be written, as when the disk is full or another process does not let go of it."""
        with self._lock, self._told():
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk undoes it by itself, and a commit that fails does not
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise LibraryError(f"{self.file}: {error}") from None

    def changes(self) -> tuple[int, int]:
        """Differs whenever this or another process may have changed something."""
        with self._lock:
            return self.value("PRAGMA data_version"), self._connection.total_changes

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("PRAGMA journal_mode = WAL")  # who searches never waits for who indexes
        self._connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last photos, never the file
        if self._kind() == (_APPLICATION, VERSION):  # who only reads does not wait for who writes
            return
        with self.writing() as connection:
            application, version = self._kind()
            if application == 0 and not self.value("SELECT count(*) FROM sqlite_master"):
                for statement in _SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
            elif application != _APPLICATION:
                raise LibraryError(f"{self.file} is a database of something else; name another file with --library")
            elif version != VERSION:
                raise LibraryError(f"{self.file} has version {version} and this program reads {VERSION}; install the one that made it")

    def _kind(self) -> tuple[int, int]:
        return self.value("PRAGMA application_id"), self.value("PRAGMA user_version")
