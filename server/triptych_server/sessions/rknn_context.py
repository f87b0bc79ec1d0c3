"""One context of Rockchip's runtime: a compiled network loaded, one row at a time through it, every way to fail made one of ours."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych_server.errors import DeviceError, InferenceError, RunnerLostError, RuntimeMissingError, one_line
from triptych_server.hardware.versions import find_version

PACKAGE = "rknn-toolkit-lite2"
_logger = logging.getLogger(__name__)


def rknn_lite() -> Any:
    """The class RKNNLite; RuntimeMissingError where its package cannot be imported."""
    try:
        from rknnlite.api import RKNNLite
    except ImportError as error:
        raise RuntimeMissingError(
            f"Rockchip's runtime cannot be imported ({one_line(error)}): pip install {PACKAGE}, on the board itself (64-bit Arm only)"
        ) from None
    return RKNNLite


class RknnContext:
    """Not for two threads at once. `shapes`: what the network gives, in its order.

    Where a run failed, the context is made anew before the next row: the driver resets an NPU that hung, and what it ran stays broken.
    """

    def __init__(self, lite: Any, compiled: Path, mask: int | None, shapes: Sequence[tuple[int, ...]]) -> None:
        self._make, self._compiled, self._mask, self._shapes = lite, compiled, mask, shapes
        self._lite: Any = None
        self._open()

    def infer(self, row: NDArray[Any], outputs: Sequence[NDArray[np.float32]]) -> None:
        """Run one row [1,...] and copy what the network gives into `outputs`, of the shapes without the batch: what the runtime
        returns may be its own memory, which the next run overwrites. InferenceError; RunnerLostError when it cannot be made anew."""
        if self._lite is None:
            try:
                self._open()
            except DeviceError as error:
                raise RunnerLostError(f"the NPU failed before and does not come back: {error}") from error
            _logger.warning("the NPU failed on a request; its context was made anew")
        found = self._run(row)
        if len(found) != len(outputs):
            raise InferenceError(f"the NPU gave {len(found)} outputs; expected {len(outputs)}: convert the model again")
        for target, source, shape in zip(outputs, found, self._shapes, strict=True):
            array = np.asarray(source)
            if _without_ones(array.shape) != _without_ones(shape):
                raise InferenceError(f"the NPU gave an output {list(array.shape)}; expected {list(shape)}: convert the model again")
            np.copyto(target, array.reshape(target.shape), casting="same_kind")

    def _run(self, row: NDArray[Any]) -> list[Any]:
        try:
            found = self._lite.inference(inputs=[row])
        except Exception as error:  # ValueError in some releases, Exception itself in others
            self.close()
            _logger.exception("the NPU failed")
            raise InferenceError("the NPU failed on this request; the server's log has the details") from error
        if found is None or isinstance(found, int):
            self.close()
            raise InferenceError("the NPU gave no answer to this request; the lines that begin with `E` in the log say why")
        return list(found)

    def _open(self) -> None:
        """DeviceError; it is closed then."""
        try:
            self._lite = self._make()
        except Exception as error:  # it looks at the board and at its libraries already
            raise DeviceError(f"RKNNLite could not be made: {one_line(error)}") from error
        try:
            _start("load_rknn", lambda: self._lite.load_rknn(str(self._compiled)))
            masked = {} if self._mask is None else {"core_mask": self._mask}
            _start("init_runtime", lambda: self._lite.init_runtime(**masked))
        except DeviceError:
            self.close()
            raise

    def versions(self) -> tuple[str, str]:
        """Of the runtime library and of the kernel driver; empty where it does not tell."""
        try:
            text = self._lite.get_sdk_version() or ""
        except Exception:  # it is for the record only
            _logger.warning("the NPU's runtime does not tell its version", exc_info=True)
            return "", ""
        lines = [line.strip() for line in str(text).splitlines()]
        api, driver = ([line for line in lines if line.startswith(name)] for name in ("API:", "DRV:"))
        return find_version(api[0] if api else ""), find_version(driver[-1] if driver else "")

    def close(self) -> None:
        """Give the NPU's memory back."""
        lite, self._lite = self._lite, None
        try:
            if lite is not None:
                lite.release()
        except Exception:  # nothing is left to be done about it
            _logger.warning("the NPU's context could not be released", exc_info=True)


def _start(name: str, step: Callable[[], object]) -> None:
    """Failures are -1 (with lines that begin with `E` in the log) or exceptions."""
    try:
        given = step()
    except Exception as error:
        raise DeviceError(f"RKNNLite.{name} failed: {one_line(error)}") from error
    if given not in (0, None):
        raise DeviceError(f"RKNNLite.{name} gave {given}; the lines that begin with `E` in the log say why")


def _without_ones(shape: Sequence[int]) -> list[int]:
    return [size for size in shape if size != 1]
