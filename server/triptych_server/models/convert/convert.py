"""Convert one network of a repository for a target: its served graph in; the folder that the target's backend loads, checked, out.

model.onnx - cut -> core - the target's compiler -> compiled network - its outputs for samples - tail -+- compared - put in place
     +------------------------------------ onnxruntime on the same samples --------------------------+
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray

from triptych_server.errors import ConversionError, ModelImportError
from triptych_server.models import samples, store
from triptych_server.models.convert.agreement import Agreement, Limits, check_agreement
from triptych_server.models.convert.environment import Say
from triptych_server.models.convert.parts import Parts, cut
from triptych_server.models.convert.record import TAIL, Conversion, Tensor, graph_hash
from triptych_server.models.sessions import open_session
from triptych_server.repository import Repository
from triptych_server.repository_lock import locked
from triptych_server.sessions.protocol import Arrays

_SAMPLES = 3
_PATIENCE = 600.0  # seconds for another change of the repository to end


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a compiler made: its name and version, what remains of the scaling of pixels, and the network's outputs [N,...] for the
    samples, in the order in which it gives them."""

    toolkit: str
    version: str
    outputs: Sequence[NDArray[Any]]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


class Converter(Protocol):
    """A compiler for one target."""

    @property
    def target(self) -> str:
        """The folder's name, as `rk3588`."""
        ...

    @property
    def precision(self) -> str:
        """That of the compiled network, as `f16`."""
        ...

    @property
    def limits(self) -> Limits:
        """How far from the served graph it may be."""
        ...

    @property
    def stays(self) -> Mapping[str, str]:
        """Networks that the target does not run, each with the reason."""
        ...

    def compile(self, parts: Parts, folder: Path, rows: NDArray[Any]) -> Compiled:
        """Compile the core, which it may change for that, into `folder`, and run the result on `rows` [N,...] as a request has them.
        ConversionError."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """Of one network."""

    network: str
    folder: Path
    agreement: Agreement
    megabytes: float
    seconds: float


def networks_for(repository: Repository, converter: Converter, named: Sequence[str]) -> list[str]:
    """The networks to convert: those named, else all that are in place and that the target runs. ConversionError for one it does not."""
    for name in named:
        repository.model(name)
        if name in converter.stays:
            raise ConversionError(f"{name} is not converted for {converter.target}: {converter.stays[name]}")
    there = [
        folder.name for folder in repository.models() if (folder / "1" / "model.onnx").is_file() and folder.name not in converter.stays
    ]
    if missing := [name for name in named if name not in there]:
        raise ConversionError(f"{', '.join(missing)} has no model.onnx; `triptych models use NAME` puts one in place")
    if not there:
        raise ConversionError(f"{repository.root} has no network to convert; `triptych models use NAME` puts one in place")
    return list(dict.fromkeys(named)) or there


def convert(repository: Repository, network: str, converter: Converter, say: Say) -> Report:
    """Convert, compare with the served graph, and replace an older conversion. ConversionError; that one is then as it was."""
    started = time.monotonic()
    graph = repository.model(network) / "1" / "model.onnx"
    target = graph.parent / converter.target
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=graph.parent) as scratch:
            folder = Path(scratch) / target.name
            folder.mkdir()
            say(f"{network}: compiling for {converter.target}")
            source, agreement = _fill(folder, graph, converter)
            with locked(repository, _PATIENCE):
                if graph_hash(graph) != source:
                    raise ConversionError(f"{network} was changed while it was converted; convert it again")
                _replace(target, folder, Path(scratch) / "old")
    except OSError as error:
        raise ConversionError(f"{network} could not be converted in {graph.parent}: {error.strerror}") from error
    size = sum(file.stat().st_size for file in target.iterdir()) / 1e6
    return Report(network, target, agreement, size, time.monotonic() - started)


def _replace(target: Path, new: Path, old: Path) -> None:
    """Whoever looks between the two renames finds no conversion, never half of one; what was there comes back when the second fails."""
    try:
        if target.exists():
            target.rename(old)
        new.rename(target)
    except BaseException:  # Ctrl-C too
        if old.exists() and not target.exists():
            old.rename(target)
        raise


def _fill(folder: Path, graph: Path, converter: Converter) -> tuple[str, Agreement]:
    """Write all that a conversion consists of; returns the hash of the graph that it is of, and how well they agree."""
    source, parts, rows = _cut(graph)
    compiled = converter.compile(parts, folder, rows)
    onnx.save_model(parts.tail, str(folder / TAIL))
    agreement = check_agreement(_served(graph, rows), _joined(folder / TAIL, parts, compiled, rows), converter.limits)
    _record(source, converter, parts, compiled, rows).write(folder)
    return source, agreement


def core_outputs(parts: Parts) -> dict[str, tuple[int, ...]]:
    """The shape of each output of the core, in their order."""
    return {value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim) for value in parts.core.graph.output}


def _cut(graph: Path) -> tuple[str, Parts, NDArray[Any]]:
    """The graph's hash, its parts, and rows to compare on."""
    source = graph_hash(graph)
    try:
        model = store.read(graph)
        store.load_weights(model, graph)
        parts = cut(model)
        if parts.head is None:
            value = model.graph.input[0]
            length = value.type.tensor_type.shape.dim[1].dim_value
            return source, parts, samples.token_rows(model.graph, value.name, length, pad_id=0, count=_SAMPLES)
    except ModelImportError as error:
        raise ConversionError(str(error)) from error
    return source, parts, samples.pictures(parts.core.graph.input[0].type.tensor_type.shape.dim[2].dim_value, _SAMPLES)


def _record(source: str, converter: Converter, parts: Parts, compiled: Compiled, rows: NDArray[Any]) -> Conversion:
    return Conversion(
        source_sha256=source,
        target=converter.target,
        toolkit=compiled.toolkit,
        version=compiled.version,
        precision=converter.precision,
        input=Tensor(parts.core.graph.input[0].name, rows.dtype.name, (1, *rows.shape[1:])),
        outputs=tuple(Tensor(name, "float32", shape) for name, shape in core_outputs(parts).items()),
        mean=compiled.mean,
        std=compiled.std,
    )


def _served(graph: Path, rows: NDArray[Any]) -> Arrays:
    session = open_session(graph)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {session.get_inputs()[0].name: rows}), strict=True))


def _joined(tail: Path, parts: Parts, compiled: Compiled, rows: NDArray[Any]) -> Arrays:
    """The served outputs, from the compiled network's by way of the tail."""
    shapes = core_outputs(parts)
    if len(compiled.outputs) != len(shapes):
        raise ConversionError(f"the compiled network gives {len(compiled.outputs)} outputs; expected {len(shapes)}: {', '.join(shapes)}")
    feeds = {}
    for (name, shape), found in zip(shapes.items(), compiled.outputs, strict=True):
        if found.size != len(rows) * int(np.prod(shape)):
            raise ConversionError(f"the compiled network gives {name} in the shape {list(found.shape)}; expected {[len(rows), *shape[1:]]}")
        feeds[name] = found.reshape(len(rows), *shape[1:]).astype(np.float32)
    session = open_session(tail)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))
