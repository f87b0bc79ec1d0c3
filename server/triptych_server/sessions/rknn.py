"""RKNN: a network compiled by `triptych models convert`, on the NPU of a Rockchip SoC, rows of a batch side by side on its cores.

image uint8 [B,S,S,3] - row after row - a free context - the network's outputs, copied - tail.onnx on the processor - served outputs
"""

import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych_server.errors import DeviceError
from triptych_server.hardware.drm import probe_accel_nodes, probe_render_nodes
from triptych_server.hardware.finding import Status
from triptych_server.hardware.machine import probe
from triptych_server.hardware.needs.rknn import SOCS, rknn
from triptych_server.hardware.rockchip import probe_rockchip
from triptych_server.hardware.tree import Tree
from triptych_server.models.convert.record import TAIL, Conversion
from triptych_server.sessions import onnxruntime
from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import Arrays, Device, Session, SessionSettings, TensorSpec
from triptych_server.sessions.rknn_context import RknnContext, rknn_lite
from triptych_server.sessions.rknn_options import RknnOptions

REQUESTED, PRECISION = "RKNPU", "f16"
COMPILED = "model.rknn"


class RknnSession:
    """A pool of contexts, of which each runs one row at a time for one thread. One batch more than there are contexts may be under way:
    it is made ready while they work."""

    def __init__(self, settings: SessionSettings, soc: str, lite: Any) -> None:
        options = RknnOptions.from_settings(settings, soc)
        folder = settings.graph.parent / soc
        conversion = Conversion.current(folder, settings.graph)
        given = conversion.input
        self.inputs: tuple[TensorSpec, ...] = (TensorSpec(given.name, np.dtype(given.dtype), (None, *given.shape[1:])),)
        self._maps = {output.name: output.shape for output in conversion.outputs}
        self._tail = onnxruntime.open_session(
            SessionSettings(settings.model, folder / TAIL, parameters=Parameters({"intra_op_thread_count": "1"}))
        )
        self.outputs = self._tail.outputs
        self._idle: queue.SimpleQueue[RknnContext] = queue.SimpleQueue()
        self._contexts: list[RknnContext] = []
        try:
            for mask in options.masks:
                self._contexts.append(RknnContext(lite, folder / COMPILED, mask, list(self._maps.values())))
        except DeviceError:
            self._release()
            raise
        for context in self._contexts:
            self._idle.put(context)
        self.concurrency = len(self._contexts) + 1
        self._rows = ThreadPoolExecutor(len(self._contexts), thread_name_prefix=f"{settings.model}_npu")
        self.device = Device(REQUESTED, _describe(soc, self._contexts[0]), PRECISION)

    @contextmanager
    def run(self, feeds: Arrays) -> Iterator[Arrays]:
        """Run a batch; its rows wait for free contexts. InferenceError when the NPU fails on one of them."""
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
            yield outputs

    def close(self) -> None:
        """Let the rows end, then give the NPU's memory back."""
        self._rows.shutdown(wait=True)
        self._tail.close()
        self._release()

    def _infer(self, row: NDArray[Any], outputs: list[NDArray[np.float32]]) -> None:
        context = self._idle.get()
        try:
            context.infer(np.ascontiguousarray(row), outputs)
        finally:
            self._idle.put(context)

    def _release(self) -> None:
        for context in self._contexts:
            context.close()
        self._contexts.clear()


def open_session(settings: SessionSettings) -> Session:
    """Open the conversion of a graph for this board's SoC. ConfigError for options it cannot take and for a stale conversion,
    RuntimeMissingError without Rockchip's package, DeviceError where there is no such NPU or it cannot be used; with `allow_fallback`
    these two run the graph itself on the processor instead.
    """
    try:
        lite = rknn_lite()
        tree = Tree()
        soc = _soc(settings.model, tree)
        try:
            return RknnSession(settings, soc, lite)
        except DeviceError as error:
            raise DeviceError("; ".join([f"{settings.model}: {error}", *_problems(tree)])) from error
    except DeviceError as error:
        if not settings.allow_fallback:
            raise
        session = onnxruntime.open_session(SessionSettings(settings.model, settings.graph, settings.max_batch_size))
        session.device = Device(REQUESTED, "CPU", "f32", fallback=str(error))
        return session


def _soc(model: str, tree: Tree) -> str:
    """As `rk3588`; DeviceError where it is another, or hidden."""
    soc = probe_rockchip(tree, probe_render_nodes(tree), probe_accel_nodes(tree)).soc
    if soc in SOCS:
        return soc
    allowed = 'set allow_fallback: "true" to run on the CPU'
    raise DeviceError("; ".join([f"{model}: an NPU of Rockchip was asked for", *_problems(tree), allowed]))


def _problems(tree: Tree) -> list[str]:
    """What the doctor finds missing for this profile, each with how to mend it."""
    found = [finding for finding in rknn(probe(tree.root)) if finding.status is Status.MISSING]
    texts = [
        f"{finding.what}: {finding.found}, expected {finding.expected}" + f" ({finding.mend})" * bool(finding.mend) for finding in found
    ]
    return texts or ["`triptych doctor --profile rknn` finds nothing missing"]


def _describe(soc: str, context: RknnContext) -> str:
    runtime, driver = context.versions()
    known = [f"{name} {value}" for name, value in (("driver", driver), ("runtime", runtime)) if value]
    return ", ".join([f"{soc.upper()} NPU", *known])
