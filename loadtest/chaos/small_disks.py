"""File systems of a server's own, small enough to fill: a mount namespace with its own /dev/shm and temporary folder."""

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

SHM, SHM_SIZE, DISK_SIZE = Path("/dev/shm"), "256m", "48m"
_MOUNT = 'mount -t tmpfs -o size="$1" tmpfs /dev/shm && mount -t tmpfs -o size="$2" tmpfs "$3" && shift 3 && exec "$@"'


def within(disk: Path, command: Sequence[str]) -> list[str]:
    """The command, run where /dev/shm and the folder `disk` are small file systems of its own."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", _MOUNT, "sh", SHM_SIZE, DISK_SIZE, str(disk), *command]


def why_not(disk: Path) -> str:
    """Why this machine does not allow them; empty when it does."""
    try:
        tried = subprocess.run(within(disk, ["true"]), capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if tried.returncode == 0 else f"no mount namespace: {tried.stderr.strip()}"


@contextlib.contextmanager
def filled(pid: int, folder: Path) -> Iterator[None]:
    """A file system that the process sees at `folder` has no byte left, within the block."""
    filler = Path(f"/proc/{pid}/root") / folder.relative_to("/") / "filler"
    try:
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass
        yield
    finally:
        filler.unlink(missing_ok=True)
