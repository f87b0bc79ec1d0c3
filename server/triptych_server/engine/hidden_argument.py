"""A secret that a program takes on its command line only, taken out of what /proc shows of it to every user of the machine."""

import os
from pathlib import Path

_ARG_START, _ARG_END = 45, 46  # in /proc/PID/stat, counted from the state, which follows the name


def hide_argument(pid: int, secret: str) -> None:
    """Overwrite `secret` in the arguments of a child that has read them. OSError when the kernel does not let us."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(") ")[2].split()
    start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    memory = os.open(f"/proc/{pid}/mem", os.O_RDWR)
    try:
        arguments = os.pread(memory, end - start, start)
        os.pwrite(memory, arguments.replace(secret.encode(), b"x" * len(secret.encode())), start)
    finally:
        os.close(memory)
