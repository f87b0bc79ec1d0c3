"""Which release of TensorRT or MIGraphX will compile: an engine fits no other, whatever release ONNX Runtime is of."""

import ctypes
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

TENSORRT_LIBRARY, MIGRAPHX_LIBRARY = "libnvinfer.so.10", "libmigraphx_c.so.3"
"""What ONNX Runtime's providers are linked with."""
UNKNOWN = "unknown"
_logger = logging.getLogger(__name__)

Load = Callable[[str], Any]


def tensorrt_release(load: Load = ctypes.CDLL) -> str:
    """As `10.13.2`, by the library's own word; `unknown` where it cannot be loaded, which the provider will not manage then either."""
    try:
        number = int(load(TENSORRT_LIBRARY).getInferLibVersion())
    except (OSError, AttributeError) as error:
        _logger.debug("TensorRT's release is not known: %s", error)
        return UNKNOWN
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def migraphx_release(load: Load = ctypes.CDLL, maps: Path = Path("/proc/self/maps")) -> str:
    """As `3.0.70100`, from the name of the file that was loaded (the last number is ROCm's release), for no function tells it; `unknown`
    where it cannot be loaded."""
    try:
        load(MIGRAPHX_LIBRARY)
    except OSError as error:
        _logger.debug("MIGraphX's release is not known: %s", error)
        return UNKNOWN
    stem = MIGRAPHX_LIBRARY.partition(".so")[0]
    names = (Path(line.rpartition(" ")[2]).name for line in maps.read_text("utf-8").splitlines())
    return next((name.partition(".so.")[2] for name in names if name.startswith(f"{stem}.so.")), UNKNOWN)
