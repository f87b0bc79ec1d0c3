"""conversion.json: what a compiled network was made from and how, written by the conversion, checked by the backend that loads it.

model_repository/<network>/1/model.onnx                   the served graph
                             <target>/conversion.json     this
                                      <compiled>          the network proper, as the runtime wants it
                                      tail.onnx           from its outputs to the served ones, float32, any batch
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from triptych_server.errors import ConfigError

FILE, TAIL = "conversion.json", "tail.onnx"


@dataclass(frozen=True, slots=True)
class Tensor:
    """`shape` with the batch, which is 1; `dtype` as numpy calls it."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.shape or self.shape[0] != 1:
            raise ValueError(f"{self.name} has the shape {list(self.shape)}; expected a batch of 1 in front")


@dataclass(frozen=True, slots=True)
class Conversion:
    """`input` is what the backend takes from a request; `outputs` are what the compiled network gives, in its order. `mean` and `std`
    (of 0 to 255, for R, G and B) are what remains to be done to pixels; empty where the compiled network does it, or takes none."""

    source_sha256: str
    target: str
    toolkit: str
    version: str
    precision: str
    input: Tensor
    outputs: tuple[Tensor, ...]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def write(self, folder: Path) -> None:
        """Write it into the folder of the conversion."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read it; ConfigError when there is no conversion, or a damaged one."""
        try:
            found = json.loads((folder / FILE).read_text("utf-8"))
        except OSError:
            raise ConfigError(f"there is no conversion for {folder.name}; {advice(folder.name)}") from None
        except ValueError:
            raise ConfigError(f"{folder.name}/{FILE} is damaged; {advice(folder.name)}") from None
        try:
            tensors = [_tensor(found["input"]), *map(_tensor, found["outputs"])]
            listed = {key: tuple(float(number) for number in found[key]) for key in ("mean", "std")}
            rest = {key: str(found[key]) for key in ("source_sha256", "target", "toolkit", "version", "precision")}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"{folder.name}/{FILE} is of another release ({error}); {advice(folder.name)}") from None
        return cls(**rest, input=tensors[0], outputs=tuple(tensors[1:]), mean=listed["mean"], std=listed["std"])

    @classmethod
    def current(cls, folder: Path, graph: Path, compiled: str) -> Self:
        """Read it, and make sure that it is of `graph` as this is now: a stale one would answer for another model. And that the copy is
        whole: `compiled` is the network's file."""
        found = cls.read(folder)
        if found.target != folder.name:
            raise ConfigError(f"{folder.name} holds a conversion for {found.target}; {advice(folder.name)}")
        if found.source_sha256 != graph_hash(graph):
            raise ConfigError(f"{folder.name} was converted from another graph; {advice(folder.name)}")
        if absent := [name for name in (compiled, TAIL) if not (folder / name).is_file()]:
            raise ConfigError(f"{folder.name} has no {' and no '.join(absent)}; {advice(folder.name)}")
        return found


def graph_hash(graph: Path) -> str:
    """SHA-256 of model.onnx. Its sidecars need no reading: their names, which stand in it, are hashes of what they hold."""
    with graph.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def advice(target: str) -> str:
    """How to get a conversion."""
    return f"run `triptych models convert --target {target}`, on any x86-64 or Arm machine with these models, and copy the folder `1` over"


def _tensor(found: Any) -> Tensor:
    return Tensor(str(found["name"]), str(found["dtype"]), tuple(int(size) for size in found["shape"]))
