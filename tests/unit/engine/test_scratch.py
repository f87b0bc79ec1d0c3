"""Temporary folders are removed when, and only when, their engine is gone."""

import os
import subprocess
import tempfile

from triptych_server.engine.scratch import new_scratch, remove_stale_scratch
from triptych_server.engine.shared_memory import new_prefix


def test_only_folders_of_engines_that_are_gone_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    process = subprocess.Popen(["true"])
    process.wait()
    mine = new_scratch(new_prefix())
    dead = new_scratch(new_prefix().replace(f"_{os.getpid()}_", f"_{process.pid}_"))
    other = tmp_path / "triptych_notes"
    other.mkdir()
    (dead / "backends").mkdir()
    remove_stale_scratch()
    assert set(tmp_path.iterdir()) == {mine, other}
    assert mine.stat().st_mode & 0o077 == 0
