"""Find a Triton to run: the one the user names, the NGC container's, else the one inside the PyPI wheel nvidia-pytriton."""

import importlib.util
import re
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from triptych_server.errors import EngineError

CONTAINER = Path("/opt/tritonserver")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
STUB = "triton_python_backend_stub"
LEAST_CAPABILITY = "5.2"
"""Triton's own default of 6.0 leaves out GPUs that ONNX Runtime for CUDA 12, which computes here, still runs on."""


@dataclass(frozen=True, slots=True)
class Triton:
    """A Triton installation: the server, its backends and caches, the Python stub that fits the running Python, and the
    folders its libraries need on LD_LIBRARY_PATH. GPUs below `least_capability` it does not use; empty: as it is built."""

    server: Path
    backends: Path
    caches: Path
    stub: Path
    libraries: tuple[Path, ...]
    least_capability: str = ""

    def __post_init__(self) -> None:
        for file in (self.server, self.backends / "python" / "libtriton_python.so", self.stub):
            if not file.exists():
                raise EngineError(f"the Triton at {self.server.parents[1]} has no {file.name}; install one with its Python backend")
        built_for = python_of(self.stub)
        if built_for != PYTHON:
            raise EngineError(
                f"the Python stub of the Triton at {self.server.parents[1]} is built for Python {built_for}, but this is Python {PYTHON}; "
                f"install Triptych into a Python {built_for}"
            )

    def has_option(self, name: str) -> bool:
        """Whether this release knows --`name`; others end at once when they read it."""
        return name.encode() in self.server.read_bytes()


def find_triton(named: Path | None = None) -> Triton:
    """The first Triton there is, in the order above. EngineError when there is none, or the named one is not whole."""
    if named is not None:
        home = named.parents[1] if named.is_file() else named
        if not (home / "bin" / "tritonserver").is_file():
            raise EngineError(f"no Triton at {named}: expected bin/tritonserver below it")
        return _installed(home)
    if (CONTAINER / "bin" / "tritonserver").is_file():
        return _installed(CONTAINER)
    if wheel := _wheel():
        return wheel
    raise EngineError(
        "no Triton found: neither /opt/tritonserver (the NGC container) nor the Python package nvidia-pytriton is here; "
        "pip install 'triptych[server]', or name one with --triton"
    )


def python_of(stub: Path) -> str:
    """The Python version that a stub is linked to, e.g. `3.11`."""
    found = re.search(rb"libpython(3\.\d+)\.so", stub.read_bytes())
    return found[1].decode() if found else "unknown"


def _installed(home: Path) -> Triton:
    """A Triton laid out as NVIDIA's own packages are."""
    backends = home / "backends"
    return Triton(
        home / "bin" / "tritonserver",
        backends,
        home / "caches",
        backends / "python" / STUB,
        (home / "lib", *_libpython()),
    )


def _wheel() -> Triton | None:
    """The Triton inside nvidia-pytriton; the package itself is never imported."""
    spec = importlib.util.find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        return None
    package = Path(spec.submodule_search_locations[0])
    home = package / "tritonserver"
    stub = home / "python_backend_stubs" / PYTHON / STUB
    if not stub.is_file():
        versions = ", ".join(sorted(folder.name for folder in (home / "python_backend_stubs").iterdir()))
        raise EngineError(f"nvidia-pytriton has no Python stub for {PYTHON}; it has {versions}")
    return Triton(
        home / "bin" / "tritonserver",
        home / "backends",
        home / "caches",
        stub,
        (package.parent / "nvidia_pytriton.libs", *_libpython()),
        LEAST_CAPABILITY,
    )


def _libpython() -> Iterator[Path]:
    """The folder of the running Python's shared library, which the stub needs."""
    library = sysconfig.get_config_var("INSTSONAME") or ""
    folder = Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    wanted = f"libpython{PYTHON}.so.1.0"
    places = (
        folder,
        folder / multiarch,
        Path("/usr/lib") / multiarch,
        Path("/lib") / multiarch,
        Path("/usr/lib64"),
        Path("/usr/local/lib"),
    )
    for place in places:
        if (place / wanted).exists():
            yield place
            return
    raise EngineError(
        f"Triton's Python stub needs {wanted}, and this Python ({library or 'built without it'}) does not bring it; "
        f"on Debian and Ubuntu: apt-get install libpython{PYTHON}"
    )
