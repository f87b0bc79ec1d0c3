"""Shared libraries: where they lie, and whether the loader can load them with all that they need."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from triptych_server.hardware.tree import Tree

FOLDERS = (
    "usr/lib",
    "usr/lib/*-linux-gnu",
    "usr/lib/*-linux-gnu/mali",
    "usr/lib64",
    "usr/local/lib",
    "usr/local/cuda*/lib64",
    "usr/lib/wsl/lib",
    "opt/rocm*/lib",
    "lib/*-linux-gnu",
)
"""Where distributions, CUDA, WSL and ROCm put them."""

LOADER = """
import ctypes, json, sys
for name, files in json.load(sys.stdin).items():
    problem = ""
    try:
        for file in files:
            ctypes.CDLL(file, ctypes.RTLD_GLOBAL)
    except OSError as error:
        problem = str(error)
    print(json.dumps([name, problem]), flush=True)
"""
"""Run in a process of its own: gigabytes of CUDA stay out of this one, and a library that crashes takes only that one along."""

TIMEOUT = 20.0  # cold CUDA libraries from a slow disk


def library_files(tree: Tree, pattern: str) -> list[Path]:
    """The library files that match a name, as `libmali*.so*`."""
    return [path for folder in FOLDERS for path in tree.glob(f"{folder}/{pattern}")]


def load_problems(tree: Tree, wanted: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Why each of the wanted cannot be loaded, empty for those that can. A wanted one is a name and the files to load in turn:
    names as the loader finds them, or paths. Of a recorded tree only their presence is known."""
    if not wanted:
        return {}
    if not tree.live:
        return {
            name: next((f"{Path(file).name}: not found" for file in files if not _is_there(tree, file)), "")
            for name, files in wanted.items()
        }
    try:
        done = subprocess.run(
            [sys.executable, "-c", LOADER], input=json.dumps(wanted), capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
        told, end = done.stdout, f"loading it ended the process with code {done.returncode}"
    except subprocess.TimeoutExpired as error:
        told, end = (error.stdout or b"").decode(), f"loading it took over {TIMEOUT:.0f} s"
    except OSError as error:
        told, end = "", str(error)
    problems = dict(json.loads(line) for line in told.splitlines() if line.startswith("["))
    return {name: problems.get(name, end) for name in wanted}


def _is_there(tree: Tree, file: str) -> bool:
    return tree.exists(file.lstrip("/")) if "/" in file else bool(library_files(tree, file))
