"""One index run at a time, whichever programs want one; how far it is, seen from outside; and nothing is left of one that was killed."""

import subprocess
import sys

import pytest

from triptych.library import Library, LibraryError, Progress
from triptych.library import running as module
from triptych.library.running import Running, only_run, running

OTHER = """
import sys
from pathlib import Path
from triptych.library import Progress
from triptych.library.running import only_run
with only_run(Path(sys.argv[1])) as run:
    run.tell(Progress(3, 9, 1))
    print("on", flush=True)
    sys.stdin.read()
"""


def test_a_run_is_seen_from_outside_until_it_ends(tmp_path, monkeypatch):
    library = tmp_path / "library.sqlite"
    assert running(library) is None
    with only_run(library) as run:
        link = tmp_path / "link"
        link.symlink_to(library)
        assert running(library) == running(link) == Running("looking")
        run.tell(Progress(0, 100_000, 0))
        run.tell(Progress(100_000, 100_000, 12))
        seen = running(library)
        assert (seen.phase, seen.done, seen.failed, seen.rate > 0) == ("grouping", 100_000, 12, True)
        monkeypatch.setattr(module, "_PATIENCE", 0.05)
        with pytest.raises(LibraryError, match="indexed already"), only_run(library):
            pass
        run.write(Running())
        assert running(library) == Running()  # no end of the longer text before it
    assert running(library) is None
    assert library.with_name("library.sqlite-index").stat().st_mode & 0o777 == 0o600


def test_who_was_killed_is_not_running(tmp_path):
    library = tmp_path / "library.sqlite"
    with subprocess.Popen([sys.executable, "-c", OTHER, library], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout.readline() == b"on\n"
            assert running(library).done == 3
        finally:
            other.kill()
    assert running(library) is None
    with only_run(library):
        pass


def test_a_second_run_is_refused_before_it_asks_anybody(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    (tmp_path / "photos").mkdir()
    with Library.open(tmp_path / "library.sqlite") as library, only_run(library.file):
        assert library.running() == Running()
        with pytest.raises(LibraryError, match="indexed already"):
            library.index(tmp_path / "photos", client=None)
        with pytest.raises(LibraryError, match="indexed already"):
            library.begin_anew()
        with pytest.raises(LibraryError, match="indexed already"):
            library.forget(tmp_path / "photos")
        assert library.folders == []


def test_a_lock_that_cannot_be_opened_is_told(tmp_path):
    (tmp_path / "library.sqlite-index").mkdir()
    with (
        pytest.raises(LibraryError, match=r"library\.sqlite-index cannot be opened: Is a directory"),
        only_run(tmp_path / "library.sqlite"),
    ):
        pass
