"""Arm NN's delegate for LiteRT: its library, the Mali's and each of its backends looked for first, then made with its options."""

import ctypes
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from triptych_server.errors import DeviceError, one_line
from triptych_server.sessions.armnn_options import GPU, ArmnnOptions

OPENCL = ("libOpenCL.so", "libGLES_mali.so", "libmali.so")
"""Where Arm's Compute Library looks for OpenCL."""
_ENTRY = "tflite_plugin_create_delegate"
_logger = logging.getLogger(__name__)


def lacking_backends(interpreters: Any, options: ArmnnOptions) -> dict[str, str]:
    """Backends of the list that cannot run here, each with the reason.

    Arm NN leaves one that it was built without out of a list, with a line in its log; so it is asked for each alone. The GPU comes
    first: what is said of tuning to the first delegate of a process holds for all.
    """
    lacking = {}
    if GPU in options.backends and (problem := opencl_problem()):
        lacking[GPU] = f"{GPU} was asked for, but {problem}"
    if problem := library_problem(options.library):
        return dict.fromkeys(options.backends, problem) | lacking
    for name in sorted(set(options.backends) - set(lacking), key=lambda name: (name != GPU, name)):
        try:
            make_delegate(interpreters, options.library, replace(options, backends=(name,)).for_delegate())
        except DeviceError as error:
            lacking[name] = f"{name} was asked for, but {error}; install an Arm NN that has it, or take it out of `backends`"
    return lacking


def opencl_problem() -> str:
    """Why GpuAcc cannot run here; empty when one of the libraries loads. Without one Arm NN still offers GpuAcc, and fails with the
    network, without going on to the next of its backends."""
    return "" if any(not _load_problem(name) for name in OPENCL) else f"none of {', '.join(OPENCL)} can be loaded"


def library_problem(library: str) -> str:
    """Why this is no delegate; empty when it is one. Asked before LiteRT tries, whose object cannot be freed when that fails."""
    if problem := _load_problem(library):
        return f"Arm NN's delegate cannot be loaded: {problem}"
    return "" if hasattr(ctypes.CDLL(library), _ENTRY) else f"{library} is no delegate for LiteRT: it has no {_ENTRY}"


def loaded_files(library: str) -> list[Path]:
    """The files of the delegate, Arm NN and OpenCL that this process runs."""
    for name in (*OPENCL, library):
        _load_problem(name)
    mapped = {Path(line.split(maxsplit=5)[5]) for line in Path("/proc/self/maps").read_text("utf-8").splitlines() if "/" in line}
    ours = ("libarmnn", "libmali", "libGLES_mali", "libOpenCL", Path(library).name)
    return sorted(file for file in mapped if file.name.startswith(ours))


def make_delegate(interpreters: Any, library: str, options: Mapping[str, str]) -> Any:
    """One delegate, for one interpreter. DeviceError with what the delegate reports."""
    try:
        return interpreters.load_delegate(library, dict(options))
    except ValueError as error:
        _logger.exception("Arm NN's delegate failed")
        raise DeviceError(f"Arm NN's delegate does not start: {one_line(error)}") from error


def _load_problem(library: str) -> str:
    """What the loader says; empty when it loads."""
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return str(error)
    return ""
