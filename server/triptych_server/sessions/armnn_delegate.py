"""Arm NN's delegate for LiteRT: its library and the Mali's looked for first, then made with its options."""

import ctypes
import logging
from collections.abc import Mapping
from typing import Any

from triptych_server.errors import DeviceError

OPENCL = ("libOpenCL.so", "libGLES_mali.so", "libmali.so")
"""Where Arm's Compute Library looks for OpenCL."""
_ENTRY = "tflite_plugin_create_delegate"
_logger = logging.getLogger(__name__)


def opencl_problem() -> str:
    """Why GpuAcc cannot run here; empty when one of the libraries loads. Without one Arm NN still offers GpuAcc, and fails with the
    network, without going on to the next of its backends."""
    return "" if any(not load_problem(name) for name in OPENCL) else f"none of {', '.join(OPENCL)} can be loaded"


def load_problem(library: str) -> str:
    """What the loader says; empty when it loads."""
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return str(error)
    return ""


def make_delegate(interpreters: Any, library: str, options: Mapping[str, str]) -> Any:
    """One delegate, for one interpreter. DeviceError with what the delegate reports."""
    if problem := load_problem(library):  # before LiteRT tries, whose object cannot be freed then
        raise DeviceError(f"Arm NN's delegate cannot be loaded: {problem}")
    if not hasattr(ctypes.CDLL(library), _ENTRY):
        raise DeviceError(f"{library} is no delegate for LiteRT: it has no {_ENTRY}")
    try:
        return interpreters.load_delegate(library, dict(options))
    except ValueError as error:
        _logger.exception("Arm NN's delegate failed")
        raise DeviceError(f"Arm NN's delegate does not start: {' '.join(str(error).split())[:300]}") from error
