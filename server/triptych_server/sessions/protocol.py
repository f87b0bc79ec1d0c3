"""What every runtime looks like from here: open with settings, run arrays through, say what device it really runs on, close."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from triptych_server.sessions.parameters import Parameters

Arrays = Mapping[str, NDArray[Any]]
"""Tensors by name."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a graph; a dim of None is dynamic. The first dim is the batch."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Device:
    """What was asked for and what the runtime really gave, e.g. `CPU`, `CUDA:0`, `GPU.1`; precision as `f32`, `bf16`, `f16`.

    `fallback` says why `actual` is not `requested`; it is empty when they agree.
    """

    requested: str
    actual: str
    precision: str
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One entry of `optimization.execution_accelerators`, as the native backends name them."""

    name: str
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Everything a runtime may need to open one graph.

    `model` names it in errors; `graph` is the file; `kind` and `device_id` are the instance's (CPU, GPU, MODEL);
    `graph_level` is `optimization.graph.level`.
    """

    model: str
    graph: Path
    max_batch_size: int = 1
    kind: str = "CPU"
    device_id: int = 0
    parameters: Parameters = field(default_factory=lambda: Parameters({}))
    cpu_accelerators: tuple[Accelerator, ...] = ()
    gpu_accelerators: tuple[Accelerator, ...] = ()
    graph_level: int | None = None

    @property
    def allow_fallback(self) -> bool:
        """Whether another device than the one asked for is a warning instead of an error."""
        return self.parameters.boolean("allow_fallback", default=False)


class Session(Protocol):
    """A loaded graph. `run` may be called from `concurrency` threads at once; more gain nothing."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    device: Device
    concurrency: int

    def run(self, feeds: Arrays) -> AbstractContextManager[Arrays]:
        """Run one batch. The outputs may lie in the runtime's own memory: they are valid inside the `with` block only."""
        ...

    def close(self) -> None:
        """Free the graph; nothing may run any more."""
        ...
