"""The library's file: what is kept, what is undone, what other processes change, and files that are something else."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.unit.library.made import add_photo, unit
from triptych.library import Library, LibraryError, NotInLibrary
from triptych.library.store import Store
from triptych.library.vectors import Vectors


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "library.sqlite")
    yield store
    store.close()


def test_an_error_undoes_its_whole_block_and_nothing_before_it(store):
    add_photo(store, "/a.jpg", unit(1))
    with pytest.raises(RuntimeError), store.writing():
        add_photo(store, "/b.jpg", unit(2))
        raise RuntimeError
    assert store.rows("SELECT path FROM photo") == [("/a.jpg",)]
    assert store.value("SELECT count(*) FROM photo_vector") == 1


def test_a_commit_that_fails_leaves_nothing_open(store):
    """What came after it would not have been kept, as a part of it."""
    with pytest.raises(sqlite3.IntegrityError), store.writing() as connection:
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute("INSERT INTO face (photo, x1, y1, x2, y2, score) VALUES (999, 0, 0, 1, 1, 1)")
    add_photo(store, "/a.jpg", unit(1))
    assert Store(store.file).rows("SELECT path FROM photo") == [("/a.jpg",)]


def test_a_full_disk_is_said_and_what_was_kept_stays(store):
    """SQLite says the same of a file that may have no more pages."""
    add_photo(store, "/a.jpg", unit(1))
    pages = store.value("PRAGMA page_count")
    store.value(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LibraryError, match="full"):
        add_photo(store, "/b.jpg", unit(2, 1 << 16))
    store.value("PRAGMA max_page_count = 1000000")
    add_photo(store, "/c.jpg", unit(3))
    assert Store(store.file).rows("SELECT path FROM photo") == [("/a.jpg",), ("/c.jpg",)]


def test_who_opens_a_library_does_not_wait_for_who_writes(store):
    with store.writing():
        assert Store(store.file).rows("SELECT path FROM photo") == []


def test_nobody_else_can_read_a_library(tmp_path):
    before = os.umask(0o022)
    try:
        store = Store(tmp_path / "library.sqlite")
        add_photo(store, "/a.jpg", unit(1))
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
        assert len(list(tmp_path.iterdir())) == 3
    finally:
        os.umask(before)


def test_a_killed_writer_leaves_a_whole_file(store):
    program = """
import os, sys
from pathlib import Path
from triptych.library.store import Store
store = Store(Path(sys.argv[1]))
with store.writing() as c:
    c.execute("INSERT INTO photo (path, size, mtime_ns) VALUES ('/kept', 1, 1)")
with store.writing() as c:
    c.execute("INSERT INTO photo (path, size, mtime_ns) VALUES ('/lost', 1, 1)")
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", program, store.file], check=False).returncode == 9
    assert store.rows("SELECT path FROM photo") == [("/kept",)]
    assert store.value("PRAGMA integrity_check") == "ok"


def test_other_files_are_not_taken_for_a_library(tmp_path):
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    with pytest.raises(LibraryError, match="something else"):
        Store(other)
    (tmp_path / "text").write_text("no database at all, but long enough to look at" * 50)
    with pytest.raises(LibraryError, match="cannot be opened"):
        Store(tmp_path / "text")


def test_a_newer_version_is_refused(store):
    with store.writing() as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LibraryError, match="version 99"):
        Store(store.file)


def test_search_is_exact_and_sees_what_another_process_adds_and_removes(store):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((300, 32)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    photos = [add_photo(store, f"/{n}.jpg", row) for n, row in enumerate(rows)]
    vectors = Vectors(store, "photo_vector")
    query = rows[7]
    wanted = [photos[n] for n in np.argsort(-(rows @ query))[:10]]
    best = vectors.snapshot().best(query, 10)
    assert [photo for photo, _ in best] == wanted
    assert [score for _, score in best] == pytest.approx(sorted(rows @ query)[::-1][:10], abs=1e-3)
    assert vectors.snapshot().best(query, 3, np.array(wanted[4:9])) == best[4:7]

    other = Store(store.file)
    with other.writing() as connection:
        connection.execute("DELETE FROM photo WHERE id = ?", (wanted[0],))
    again = add_photo(other, "/new.jpg", query)
    assert [photo for photo, _ in vectors.snapshot().best(query, 10)] == [again, *wanted[1:]]
    other.close()


def test_an_empty_library_answers(tmp_path):
    with Library.open(tmp_path / "new" / "library.sqlite") as library:
        assert (len(library), library.folders, library.photos(), library.duplicates(), library.people.all()) == (0, [], [], [], [])
        with pytest.raises(NotInLibrary, match="no photo 5"):
            library.photo(5)
        with pytest.raises(NotInLibrary, match="index it first"):
            library.similar(Path("/nowhere.jpg"))


def test_near_duplicates_are_grouped_also_through_others(tmp_path):
    with Library.open(tmp_path / "library.sqlite") as library:
        store = library._store
        base, other = unit(1, 64), unit(2, 64)
        tangent = unit(3, 64) - base * float(unit(3, 64) @ base)
        tangent /= np.linalg.norm(tangent)
        steps = [(np.cos(angle) * base + np.sin(angle) * tangent).astype(np.float32) for angle in (0, 0.15, 0.3)]  # ends: cosine 0.955
        ids = [add_photo(store, f"/{n}.jpg", vector) for n, vector in enumerate([*steps, other, other])]
        assert [[photo.id for photo in group] for group in library.duplicates()] == [ids[:3], ids[3:]]
        assert [[photo.id for photo in group] for group in library.duplicates(0.999)] == [ids[3:]]
