"""Stands in for Arm NN's delegate and a Mali's OpenCL, whose libraries no package index has: built where there is a C compiler."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("delegate.c")


def build(folder: Path, backends: str = "GpuAcc,CpuAcc,CpuRef") -> Path:
    """The delegate of an Arm NN that has these backends; skips the test where there is no compiler."""
    return _compile(folder / "libarmnnDelegate.so", SOURCE, f'-DBACKENDS="{backends}"')


def build_opencl(folder: Path) -> Path:
    """A `libmali.so` with nothing in it; as `build`."""
    return _compile(folder / "libmali.so", "-xc", "/dev/null")


def _compile(library: Path, *arguments: str | Path) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build the stand-in for Arm NN's delegate with")
    subprocess.run([compiler, "-std=c11", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, *arguments], check=True, timeout=60)
    return library
