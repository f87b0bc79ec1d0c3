"""Shared-memory regions are removed when, and only when, their owner is gone."""

import os
import subprocess

from triptych_server.engine.shared_memory import new_prefix, remove_regions, remove_stale_regions


def dead_pid():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def touch(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"")


def test_only_regions_of_dead_engines_of_this_namespace_are_stale(tmp_path):
    mine = new_prefix()
    namespace = mine.split("_")[1]
    dead = mine.replace(f"_{os.getpid()}_", f"_{dead_pid()}_")
    foreign = dead.replace(namespace, "1")
    touch(tmp_path, f"{mine}a", f"{dead}a", f"{dead}b", f"{foreign}a", "triton_python_backend_shm_region_x", "sem.other")
    assert sorted(remove_stale_regions(tmp_path)) == [f"{dead}a", f"{dead}b"]
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(
        [f"{mine}a", f"{foreign}a", "triton_python_backend_shm_region_x", "sem.other"]
    )


def test_an_engine_removes_its_own(tmp_path):
    first, second = new_prefix(), new_prefix()
    touch(tmp_path, f"{first}a", f"{second}a")
    assert remove_regions(first, tmp_path) == [f"{first}a"]
    assert [file.name for file in tmp_path.iterdir()] == [f"{second}a"]
