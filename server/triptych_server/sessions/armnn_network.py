"""One LiteRT interpreter: a converted network loaded, one row at a time through it, and what a delegate took of it."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych_server.errors import DeviceError, InferenceError, RuntimeMissingError, one_line

COMPILED = "model.tflite"
_MAPS = 4  # axes of a map [1,h,w,channels]
_logger = logging.getLogger(__name__)


def litert() -> Any:
    """LiteRT's interpreter module; RuntimeMissingError where its package is not installed."""
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise RuntimeMissingError(
            f"LiteRT cannot be imported ({one_line(error)}): pip install 'triptych[armnn]' (the package ai-edge-litert)"
        ) from None
    return interpreter


def channels_first(array: NDArray[Any]) -> NDArray[Any]:
    """Maps [N,h,w,channels] of LiteRT as the tail takes them, [N,channels,h,w]; other arrays as they are."""
    return array.transpose(0, 3, 1, 2) if array.ndim == _MAPS else array


class LiteRtNetwork:
    """Not for two threads at once. With a `delegate`, it and LiteRT's plain kernels compute; without one, XNNPACK does.

    With a delegate, `operators` is how many the network has, and `taken` how many of them the delegate runs; it left the others to LiteRT.
    """

    def __init__(
        self, interpreters: Any, compiled: Path, shapes: Sequence[tuple[int, ...]], *, delegate: Any = None, threads: int = 1
    ) -> None:
        self._shapes, self._delegate = shapes, delegate
        resolver = interpreters.OpResolverType
        try:
            self._interpreter: Any = interpreters.Interpreter(
                str(compiled),
                num_threads=threads,
                experimental_delegates=[delegate] if delegate else None,
                experimental_op_resolver_type=resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES if delegate else resolver.AUTO,
            )
            self._interpreter.allocate_tensors()
            self._input = self._interpreter.get_input_details()[0]["index"]
            self._outputs = [details["index"] for details in self._interpreter.get_output_details()]
            nodes = self._interpreter._get_ops_details() if delegate else ()  # no public name for it
            self.operators, self.taken = _count(nodes)
        except (RuntimeError, ValueError) as error:
            self.close()
            raise DeviceError(f"LiteRT cannot load {compiled.name}: {one_line(error)}") from error

    def infer(self, row: NDArray[Any], outputs: Sequence[NDArray[np.float32]]) -> None:
        """Run one row [1,...] and copy what the network gives into `outputs`, of the recorded shapes without the batch. InferenceError."""
        try:
            self._interpreter.set_tensor(self._input, row)
            self._interpreter.invoke()
            found = [channels_first(self._interpreter.get_tensor(index)) for index in self._outputs]
        except (RuntimeError, ValueError) as error:
            _logger.exception("LiteRT failed")
            raise InferenceError("LiteRT failed on this request; the server's log has the details") from error
        for target, source, shape in zip(outputs, found, self._shapes, strict=True):
            if source.shape != shape:
                raise InferenceError(f"LiteRT gave an output {list(source.shape)}; expected {list(shape)}: convert the model again")
            np.copyto(target, source[0], casting="same_kind")

    def close(self) -> None:
        """Free the network, then the delegate. Older releases of Arm NN write the tuning file now, newer ones when the process ends."""
        self._interpreter = None
        self._delegate = None


def _count(nodes: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """All operators, and those between the inputs and the outputs of a delegate's parts, which stand in the list beside them."""
    parts = [node for node in nodes if node["op_name"] == "DELEGATE"]
    own = [node for node in nodes if node["op_name"] != "DELEGATE"]
    makers = {int(tensor): node for node in own for tensor in node["outputs"]}
    taken = set[int]()
    for part in parts:
        known, wanted = set(map(int, part["inputs"])), list(map(int, part["outputs"]))
        while wanted:
            tensor = wanted.pop()
            if tensor in makers and tensor not in known:
                taken.add(makers[tensor]["index"])
                wanted += map(int, makers[tensor]["inputs"])
            known.add(tensor)
    return len(own), len(taken)
