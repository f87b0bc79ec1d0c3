"""Files replaced together: a process that is killed half way, and folders on file systems of their own."""

import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from triptych_server.errors import ConfigError
from triptych_server.models.swap import JOURNAL, recover, replaced_files

KILLED = """
import os, signal, sys
from pathlib import Path
from triptych_server.models.swap import replaced_files

root, at = Path(sys.argv[1]), int(sys.argv[2])
replace = Path.replace
def counted(self, target):
    global at
    at -= 1
    if at < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
Path.replace = counted
with replaced_files({root / "live" / name: root / "new" / name for name in ("a", "b", "sub/c")}, root):
    counted(root / "nothing", root / "nowhere")
"""


@pytest.fixture
def root(tmp_path):
    for name, text in {"live/a": "old a", "live/b": "old b", "new/a": "new a", "new/b": "new b", "new/sub/c": "new c"}.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def live(root):
    return {str(file.relative_to(root / "live")): file.read_text() for file in (root / "live").rglob("*") if file.is_file()}


@pytest.mark.parametrize("at", range(5))
def test_a_killed_change_is_undone(root, at):
    """At the journal, at each of three files, and when all are in place but nobody said that it is well."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(root), str(at)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert recover(root, [root / "live"]) is (at > 0)
    assert live(root) == {"a": "old a", "b": "old b"}
    assert not (root / "live" / "sub").exists()
    assert not (root / JOURNAL).exists()
    assert recover(root, [root / "live"]) is False


def test_what_is_left_of_a_change_that_was_made_is_removed(root):
    (root / "live" / ".a.old-12345678").write_text("old a")
    assert recover(root, [root / "live"]) is False
    assert live(root) == {"a": "old a", "b": "old b"}


@pytest.mark.parametrize("fails", [False, True])
def test_a_target_on_another_file_system(root, fails):
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == root.stat().st_dev:
        pytest.skip("no second file system at /dev/shm")
    other = Path(tempfile.mkdtemp(prefix="triptych-test-", dir=shared))
    try:
        (other / "a").write_text("old a")
        try:
            with replaced_files({other / "a": root / "new" / "a", other / "sub" / "c": root / "new" / "sub" / "c"}, root):
                assert ((other / "a").read_text(), (other / "sub" / "c").read_text()) == ("new a", "new c")
                if fails:
                    raise RuntimeError
        except RuntimeError:
            pass
        found = {str(file.relative_to(other)): file.read_text() for file in other.rglob("*") if file.is_file()}
        assert found == ({"a": "old a"} if fails else {"a": "new a", "sub/c": "new c"})
        assert (other / "sub").exists() is not fails
    finally:
        shutil.rmtree(other)


def test_a_damaged_journal_is_named_and_a_users_own_hidden_files_stay(root):
    own = root / "live" / ".notes.old-2024"
    own.write_text("mine")
    recover(root, [root / "live"])
    assert own.exists()
    (root / JOURNAL).write_text("")  # as a power cut leaves it
    with pytest.raises(ConfigError, match=r"replacing\.json, .* is damaged; rename the files .* and delete it"):
        recover(root, [root / "live"])
