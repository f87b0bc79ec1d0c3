"""Graphs on disk: read with their sidecars, written beside the target and put in its place in one step."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
from onnx import ModelProto

from triptych_server.errors import ModelImportError

EXTERNAL_ABOVE = 2**31 - 2**24  # bytes; a protobuf message ends at 2 GiB, the nodes need some of it
_CHUNK = 2**22


def read(source: Path) -> ModelProto:
    """A graph without the weights in its sidecars; raises ModelImportError for what is no ONNX graph."""
    if not source.is_file():
        raise ModelImportError(f"there is no {source.name} in the model's folder; pull the model again")
    try:
        model = onnx.load(str(source), load_external_data=False)
    except Exception as error:  # protobuf's error class depends on its implementation
        raise ModelImportError(f"{source.name} cannot be read as an ONNX graph; pull the model again") from error
    if not model.graph.output:
        raise ModelImportError(f"{source.name} is no ONNX graph: it has no outputs; pull the model again")
    return model


def load_weights(model: ModelProto, source: Path) -> None:
    """Put the weights of the sidecars of `source` into `model`."""
    try:
        onnx.load_external_data_for_model(model, str(source.parent))
    except Exception as error:  # onnx raises unrelated classes here, by version
        raise ModelImportError(f"a weights file that {source.name} names is missing or cut short; pull the model again") from error


def fingerprint(bare: ModelProto, source: Path) -> str:
    """SHA-256 of a graph's file and of the sidecars it names, in the order of their names."""
    sidecars = {entry.value for t in bare.graph.initializer for entry in t.external_data if entry.key == "location"}
    folder = source.parent.resolve()
    for name in sidecars:
        if not (source.parent / name).resolve().is_relative_to(folder):  # links are followed
            raise ModelImportError(f"{source.name} wants weights from outside of its folder; it is not taken")
    digest = hashlib.sha256()
    for path in [source, *(source.parent / name for name in sorted(sidecars))]:
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except OSError as error:
            raise ModelImportError(f"{path.name}, which belongs to {source.name}, cannot be read; pull the model again") from error
    return digest.hexdigest()


@contextmanager
def written(model: ModelProto, target: Path, *, external_above: int = EXTERNAL_ABOVE) -> Iterator[Path]:
    """Write `model` under the target's name to a temporary folder beside `target`, which goes when the block ends.

    Weights of more than `external_above` bytes in all go to a sidecar `<target>.<hash>.data`; the model then no longer holds them.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    path = folder / target.name
    try:
        if sum(len(tensor.raw_data) for tensor in model.graph.initializer) > external_above:
            sidecar = f"{target.name}.{_content(model)}.data"
            onnx.save_model(model, str(path), save_as_external_data=True, location=sidecar, size_threshold=1024)
            (folder / sidecar).chmod(path.stat().st_mode)  # onnx lets only its owner read it, and the server may be another
        else:
            onnx.save_model(model, str(path))
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def staged(model: ModelProto, target: Path, *, external_above: int = EXTERNAL_ABOVE) -> Iterator[Path]:
    """Write `model` beside `target` and yield its path; put it in place when the block ends without an error.

    A sidecar's name is new for every content: it is moved first, then the graph in one atomic step, so that whoever opens `target`
    finds the old or the new model whole. Sidecars of the old one go last.
    """
    with written(model, target, external_above=external_above) as path:
        yield path
        sidecars = [file for file in path.parent.iterdir() if file != path]
        for sidecar in sidecars:
            sidecar.replace(target.parent / sidecar.name)
        path.replace(target)
        for old in target.parent.glob(f"{target.name}.*.data"):
            if old.name not in {sidecar.name for sidecar in sidecars}:
                old.unlink(missing_ok=True)


def _content(model: ModelProto) -> str:
    """A short hash of the weights."""
    digest = hashlib.sha256()
    for tensor in model.graph.initializer:
        digest.update(tensor.name.encode())
        digest.update(tensor.raw_data)
    return digest.hexdigest()[:12]
