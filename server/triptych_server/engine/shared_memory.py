"""Shared-memory regions of Triton's Python stubs: named so that their owner is known, and removed when he is gone."""

import os
import re
import secrets
from pathlib import Path

SHM = Path("/dev/shm")
NAME = re.compile(r"triptych_(\d+)_(\d+)_[0-9a-f]{8}_")


def new_prefix() -> str:
    """A prefix for this engine's regions: its PID namespace, its process id and a random part."""
    return f"triptych_{_pid_namespace()}_{os.getpid()}_{secrets.token_hex(4)}_"


def remove_regions(prefix: str, shm: Path = SHM) -> list[str]:
    """Remove every region of one engine, once its Triton has ended; returns their names."""
    return [file.name for file in shm.glob(f"{prefix}*") if _unlink(file)]


def remove_stale_regions(shm: Path = SHM) -> list[str]:
    """Remove the regions of engines of this PID namespace that run no more, unless a process still maps them."""
    mapped = _mapped_names()
    return [file.name for file in shm.glob("triptych_*") if is_owner_gone(file.name) and file.name not in mapped and _unlink(file)]


def is_owner_gone(name: str) -> bool:
    """Whether a name begins with the prefix of an engine of this PID namespace that runs no more."""
    owner = NAME.match(name)
    return owner is not None and owner[1] == _pid_namespace() and not _is_alive(int(owner[2]))


def _pid_namespace() -> str:
    return str(Path("/proc/self/ns/pid").stat().st_ino)


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _mapped_names() -> set[str]:
    """Names of all regions that some process we may look at has mapped."""
    names: set[str] = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            lines = maps.read_text(errors="replace").splitlines()
        except OSError:  # gone meanwhile, or another user's
            continue
        names.update(line.rsplit("/", 1)[1].split(" ")[0] for line in lines if "/dev/shm/triptych_" in line)
    return names


def _unlink(file: Path) -> bool:
    try:
        file.unlink()
    except OSError:  # another engine was faster, or it is another user's
        return False
    return True
