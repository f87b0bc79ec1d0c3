"""Stands in for Arm NN's delegate, whose library no package index has: built from delegate.c, where there is a C compiler."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("delegate.c")


def build(folder: Path, backends: str = "GpuAcc,CpuAcc,CpuRef") -> Path:
    """The library of an Arm NN that has these backends; skips the test where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build the stand-in for Arm NN's delegate with")
    library = folder / "libarmnnDelegate.so"
    options = ["-std=c11", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", f'-DBACKENDS="{backends}"']
    subprocess.run([compiler, *options, "-o", library, SOURCE], check=True, timeout=60)
    return library
