"""An environment of its own for a converter whose pins fit nobody else's: a recipe in, a Python that has it out, made once.

<cache>/convert/<name>-<hash of pins and Python>/     a venv, there only when it is complete
                .<name>-….<pid>/                      one that is being made; goes when that fails
                <name>.lock                           held by who makes it
"""

import hashlib
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from triptych_server.errors import ConversionError, ConverterMissingError
from triptych_server.models.convert.process import run

Say = Callable[[str], None]

PATIENCE = 1800.0
"""Seconds that another process may take to make the same environment; pip itself gets as long."""
_INSTALL = ("install", "--no-input", "--disable-pip-version-check", "--no-compile")
"""Compiling every module of PyTorch or TensorFlow takes longer than all else; Python compiles those that it imports."""
_NO_NETWORK = ("No matching distribution", "Temporary failure in name resolution", "Network is unreachable", "Connection refused")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is in an environment: `<name>.txt` beside this file, pip's requirements with every version pinned, and, installed after
    those, `<name>.no-deps.txt` where there is one: packages that declare what contradicts the pins. `gigabytes` is its size on disk.
    """

    name: str
    gigabytes: float
    pythons: tuple[tuple[int, int], ...] = ((3, 11), (3, 12))

    @property
    def requirements(self) -> Mapping[str, str]:
        """Name to text of the files, in the order in which they are installed."""
        folder = files(__package__)
        found = {name: folder / name for name in (f"{self.name}.txt", f"{self.name}.no-deps.txt")}
        return {name: file.read_text("utf-8") for name, file in found.items() if file.is_file()}


@dataclass(frozen=True, slots=True)
class Environment:
    """A complete venv."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def run(self, script: Path, arguments: Sequence[str], *, timeout: float) -> str:
        """Run a script in it, in a folder of its own; returns what it printed.

        ConversionError, with the last lines that it printed, when it fails or is not done after `timeout` seconds.
        """
        with tempfile.TemporaryDirectory(prefix="triptych-convert-") as scratch:
            return run([str(self.python), "-Iu", str(script), *arguments], Path(scratch), timeout, script.stem)


def cache_folder(folder: Path | None = None) -> Path:
    """Where environments are: the folder given, else `convert` in the user's cache of Triptych."""
    return (folder or platformdirs.user_cache_path("triptych") / "convert").expanduser().absolute()


def prepare(recipe: Recipe, say: Say, *, cache: Path | None = None) -> Environment:
    """The environment of a recipe, made with venv and pip at first use and again when its pins change; pip's own settings hold.

    `say` gets a line before anything that takes long. ConverterMissingError when it cannot be made; nothing is left behind then.
    """
    root = cache_folder(cache)
    target = root / f"{recipe.name}-{_fingerprint(recipe)}"
    if target.is_dir():
        return Environment(target)
    _check_python(recipe)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f"{recipe.name}.lock", timeout=PATIENCE):
            if not target.is_dir():
                _make(recipe, target, say)
    except Timeout:
        raise ConverterMissingError(f"another process has been making {target} for {PATIENCE:g} s; try again when it is done") from None
    except OSError as error:
        raise ConverterMissingError(f"{root} cannot be written ({error.strerror}); name another cache folder with --cache") from None
    return Environment(target)


def _fingerprint(recipe: Recipe) -> str:
    text = "\n".join([*recipe.requirements.values(), platform.python_version(), platform.machine()])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _check_python(recipe: Recipe) -> None:
    if sys.version_info[:2] not in recipe.pythons:
        known = " or ".join(f"{major}.{minor}" for major, minor in recipe.pythons)
        raise ConverterMissingError(
            f"the converter for {recipe.name} has packages for Python {known} only, and this is {platform.python_version()}; "
            "convert on another machine, or with Triptych in such a Python, and copy the converted folders"
        )


def _make(recipe: Recipe, target: Path, say: Say) -> None:
    """Build beside `target`, then rename: a venv's packages are found relative to it, so it may move."""
    free = shutil.disk_usage(target.parent).free / 1e9
    if free < recipe.gigabytes:
        raise ConverterMissingError(
            f"the converter for {recipe.name} needs {recipe.gigabytes:g} GB in {target.parent}, and {free:.1f} GB are free; "
            "make room, or name another cache folder with --cache"
        )
    for left in target.parent.glob(f".{recipe.name}-*"):  # by one that was killed: the lock is ours
        shutil.rmtree(left, ignore_errors=True)
    say(f"making the environment of the converter for {recipe.name}, once: {recipe.gigabytes:g} GB in {target}")
    staging = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        pip = _make_venv(staging)
        for name, text in recipe.requirements.items():
            file = staging / name
            file.write_text(text, "utf-8")
            no_deps = ["--no-deps"] if name.endswith(".no-deps.txt") else []
            run([*pip, *_INSTALL, *no_deps, "-r", str(file)], target.parent, PATIENCE, "pip install")
        staging.rename(target)
    except ConversionError as error:
        raise ConverterMissingError(f"the converter for {recipe.name} could not be installed: {error}{_advice(str(error))}") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    for old in target.parent.glob(f"{recipe.name}-*"):
        if old != target:
            shutil.rmtree(old, ignore_errors=True)


def _make_venv(folder: Path) -> list[str]:
    """A venv, and the command that is pip for it: our own where we have one, which saves installing another."""
    ours = importlib.util.find_spec("pip") is not None
    run([sys.executable, "-m", "venv", *(["--without-pip"] if ours else []), str(folder)], folder.parent, PATIENCE, "python -m venv")
    python = str(folder / "bin" / "python")
    return [sys.executable, "-m", "pip", "--python", python] if ours else [python, "-m", "pip"]


def _advice(message: str) -> str:
    if "No space left" in message:
        return "\nmake room, or name another cache folder with --cache"
    if any(sign in message for sign in _NO_NETWORK):
        return "\npip needs a package index that it can reach; its own settings (PIP_INDEX_URL, PIP_FIND_LINKS, PIP_PROXY) hold here too"
    return ""
