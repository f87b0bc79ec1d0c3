"""Where perf_analyzer comes from when the machine has none: an older wheel of tritonclient, fetched with pip and checked.

PyPI's `perf-analyzer` is an empty placeholder; the real program is inside older wheels of tritonclient. 2.50.0 is the last
that runs on glibc 2.36, and it needs two libraries that lie in the wheel our Triton comes from.
"""

import hashlib
import importlib.util
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

from triptych_server.errors import RuntimeMissingError

VERSION = "2.50.0"
WHEEL = f"tritonclient-{VERSION}-py3-none-manylinux1_x86_64.whl"
SHA256 = "421fbb69ae6ab8cdb2c35b82134fcef2fe11e7af7718b1fcbc53335ab9bfe889"
MEMBER = f"tritonclient-{VERSION}.data/data/bin/perf_analyzer"
MACHINE = "x86_64"
LIBRARIES = {"libb64.so.0d": "libb64-*.so.0d*", "libcudart.so.12": "libcudart-*.so.12*"}
OTHERWISE = "put a perf_analyzer on PATH; NVIDIA's container tritonserver:<release>-py3-sdk has one"


def unpacked(folder: Path) -> tuple[Path, Path]:
    """The program and the folder of its libraries, both below `folder`: fetched once. RuntimeMissingError where they cannot be had."""
    if platform.machine() != MACHINE:
        raise RuntimeMissingError(f"no perf_analyzer works here, and the one that can be fetched is for {MACHINE}: {OTHERWISE}")
    program, libraries = folder / "perf_analyzer", folder / "lib"
    if not program.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(_wheel(folder)) as wheel:
            draft = folder / "perf_analyzer.partial"
            draft.write_bytes(wheel.read(MEMBER))
        draft.chmod(0o755)
        draft.rename(program)
    libraries.mkdir(exist_ok=True)
    for name, pattern in LIBRARIES.items():
        link, target = libraries / name, _triton_library(pattern)
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return program, libraries


def _wheel(folder: Path) -> Path:
    """The wheel by way of pip, as whatever index the user has set up serves it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    done = subprocess.run([*command, f"tritonclient=={VERSION}"], capture_output=True, text=True, timeout=300, check=False)
    wheel = folder / WHEEL
    if done.returncode or not wheel.is_file():
        raise RuntimeMissingError(f"pip could not fetch {WHEEL}, which carries perf_analyzer: {done.stderr.strip()[-400:]}; or {OTHERWISE}")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != SHA256:
        wheel.unlink()
        raise RuntimeMissingError(f"{WHEEL} has sha256 {found}, expected {SHA256}; it was removed and nothing of it was run")
    return wheel


def _triton_library(pattern: str) -> Path:
    """One of the libraries that the Triton wheel brings."""
    package = importlib.util.find_spec("pytriton")
    if package is None or package.origin is None:
        raise RuntimeMissingError("nvidia-pytriton is not installed, whose libraries perf_analyzer needs: pip install 'triptych[server]'")
    folder = Path(package.origin).parents[1] / "nvidia_pytriton.libs"
    found = sorted(folder.glob(pattern))
    if not found:
        raise RuntimeMissingError(f"nvidia-pytriton brings no {pattern}, which perf_analyzer needs")
    return found[0]
