"""What runs a converted network: rows of a batch side by side through a pool of runners, then the tail on the processor.

uint8 [B,S,S,3] - row after row - scaled, where the network does not do it - a free runner - outputs, copied - tail.onnx - served outputs
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych_server.errors import InferenceError
from triptych_server.models.convert.record import TAIL, Conversion
from triptych_server.sessions import onnxruntime
from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import Arrays, Device, SessionSettings, TensorSpec
from triptych_server.sessions.runners import Runner, RunnerPool


class ConvertedSession:
    """One batch more than there are runners may be under way: it is made ready while they work."""

    def __init__(self, settings: SessionSettings, conversion: Conversion, runners: Sequence[Runner], device: Device) -> None:
        given = conversion.input
        self.inputs: tuple[TensorSpec, ...] = (TensorSpec(given.name, np.dtype(given.dtype), (None, *given.shape[1:])),)
        self.device, self._model = device, settings.model
        self.concurrency = len(runners) + 1
        self._scaling = _scaling(conversion)
        self._maps = {output.name: output.shape for output in conversion.outputs}
        self._pool = RunnerPool(settings.model, runners)
        tail = settings.graph.parent / conversion.target / TAIL
        one_thread = Parameters({"intra_op_thread_count": "1"})  # it is little work, and runs beside a network
        self._tail = onnxruntime.open_session(SessionSettings(settings.model, tail, parameters=one_thread))
        self.outputs = self._tail.outputs
        self._rows = ThreadPoolExecutor(len(runners), thread_name_prefix=f"{settings.model}_row")

    @contextmanager
    def run(self, feeds: Arrays) -> Iterator[Arrays]:
        """Run a batch; its rows wait for free runners. InferenceError when one of them fails, or when numbers overflowed on the device."""
        batch = feeds[self.inputs[0].name]
        maps = {name: np.empty((len(batch), *shape[1:]), np.float32) for name, shape in self._maps.items()}
        rows = [(batch[index : index + 1], [array[index] for array in maps.values()]) for index in range(len(batch))]
        if len(rows) == 1:
            self._infer(*rows[0])
        else:
            running = [self._rows.submit(self._infer, *row) for row in rows]
            wait(running)  # all of them, before anyone may let go of what they write to
            for one in running:
                one.result()
        with self._tail.run(maps) as outputs:
            if not all(np.isfinite(array).all() for array in outputs.values()):
                raise InferenceError(
                    f"{self._model}: numbers became infinite on {self.device.actual} in {self.device.precision}; "
                    "serve this model in 32 bits, or by the profile cpu"
                )
            yield outputs

    def close(self) -> None:
        """Let the rows end, then give the runners' memory back."""
        self._rows.shutdown(wait=True)
        self._tail.close()
        self._pool.close()

    def _infer(self, row: NDArray[Any], outputs: list[NDArray[np.float32]]) -> None:
        if self._scaling:
            mean, factor = self._scaling
            row = (row - mean) * factor
        self._pool.infer(np.ascontiguousarray(row), outputs)


def _scaling(conversion: Conversion) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Mean and factor for pixels; None where the network takes them as they are."""
    if not conversion.mean:
        return None
    return np.array(conversion.mean, np.float32), (1 / np.array(conversion.std)).astype(np.float32)
