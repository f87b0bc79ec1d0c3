"""How a graph wants its pictures, and how uint8 RGB becomes that: as a feed for the original, and as nodes for the served graph."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, TensorProto, ValueInfoProto, helper

from triptych_server.models import surgery

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
Numbers = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Scaling:
    """(x / 255 - mean) / std, per RGB channel."""

    mean: Numbers
    std: Numbers


@dataclass(frozen=True, slots=True)
class PictureInput:
    """The one input of a graph that sees pictures; `dtype` is TensorProto's, UINT8 where the graph scales by itself."""

    name: str
    dtype: int
    nchw: bool
    size: int | None  # pixels, a side; None where the graph leaves it open
    batch_fixed: bool

    @classmethod
    def read(cls, value: ValueInfoProto) -> Self:
        """Read it from the graph. Raises ValueError, saying what was expected, for an input that is no square RGB picture."""
        sizes = dims(value)
        if len(sizes) != 4:
            raise ValueError("one picture with four axes")
        dtype = value.type.tensor_type.elem_type
        nchw = sizes[3] != 3 if sizes[1] != 3 else True
        sides = sizes[2:] if nchw else sizes[1:3]
        if dtype not in (TensorProto.UINT8, *FLOATS) or (nchw and dtype == TensorProto.UINT8) or (nchw and sizes[1] not in (3, None)):
            raise ValueError("pictures as uint8 [B,S,S,3] or float [B,3,S,S]")
        if None not in sides and sides[0] != sides[1]:
            raise ValueError("square pictures")
        return cls(value.name, dtype, nchw, sides[0] or sides[1], sizes[0] is not None)

    def feed(self, pictures: NDArray[np.uint8], scaling: Scaling) -> NDArray[np.generic]:
        """Pictures uint8 [N,S,S,3] as the original wants them, rounded once, at the end."""
        if self.dtype == TensorProto.UINT8:
            return pictures
        scaled = (pictures / 255 - np.array(scaling.mean)) / np.array(scaling.std)
        ordered = scaled.transpose(0, 3, 1, 2) if self.nchw else scaled
        return np.ascontiguousarray(ordered, helper.tensor_dtype_to_np_dtype(self.dtype))

    def lead_in(self, graph: GraphProto, inside: str, scaling: Scaling) -> None:
        """Make the graph, whose own input is called `inside` by now, read `image` uint8 [B,S,S,3] instead."""
        if self.dtype == TensorProto.UINT8:
            surgery.rename(graph, {inside: "image"})
            return
        mean, std = np.array(scaling.mean), np.array(scaling.std)
        surgery.put_before(graph, *surgery.picture_scaling("image", inside, mean, std, nchw=self.nchw, dtype=self.dtype))


def served_image(size: int) -> ValueInfoProto:
    """The input of every served graph that sees pictures."""
    return helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", size, size, 3])


def dims(value: ValueInfoProto) -> list[int | None]:
    """A tensor's shape, with None for what is open."""
    return [dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in value.type.tensor_type.shape.dim]
