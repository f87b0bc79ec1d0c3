"""How a served graph scales its pictures: the nodes that do it in, a mean and a spread for each colour out.

A compiler does this arithmetic by itself, on the device, when it is told the numbers, and then takes the bytes as they are.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

from triptych_server.errors import ConversionError
from triptych_server.models.picture_input import Numbers, dims
from triptych_server.models.sessions import open_session

_MOVES = frozenset({"Transpose", "Cast", "Identity"})
_ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div"})
_APART = 1e-5  # of what scaled pictures span


@dataclass(frozen=True, slots=True)
class Pixels:
    """(x - mean) / std for each of R, G and B, where x is 0 to 255."""

    mean: Numbers
    std: Numbers

    def scale(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures uint8 [N,S,S,3] as the network proper takes them, float32 [N,3,S,S]."""
        scaled = (pictures - np.array(self.mean)) / np.array(self.std)
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), np.float32)


@dataclass(frozen=True, slots=True)
class LeadIn:
    """What comes before the network proper: the last tensor of it, whether that is [1,3,S,S] (else [1,S,S,3]), and what it does."""

    end: str
    nchw: bool
    pixels: Pixels


def find_lead_in(model: ModelProto) -> LeadIn:
    """Follow the picture (`image`, uint8 [1,S,S,3], the batch fixed) through casts, transposes and arithmetic with constants, as far as
    each step is the only one that reads it. ConversionError where this is no scaling of colours.
    """
    graph = model.graph
    served = graph.input[0]
    constants = constant_tensors(graph)
    end, chain = served.name, list[NodeProto]()
    while (step := _only_reader(graph, end)) and _scales(step, end, constants):
        chain.append(step)
        end = step.output[0]
    if not any(node.op_type == "Cast" for node in chain):
        raise ConversionError("the graph does not begin with a scaling of its pictures' colours; import the model again")
    found, nchw = _measure(_alone(model, chain, end), int(dims(served)[1] or 0))
    return LeadIn(end, nchw, found)


def constant_tensors(graph: GraphProto) -> set[str]:
    """Weights, and all that is computed from nothing else."""
    found = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if all(name in found for name in node.input if name):
            found.update(node.output)
    return found


def _only_reader(graph: GraphProto, tensor: str) -> NodeProto | None:
    readers = [node for node in graph.node if tensor in node.input]
    return readers[0] if len(readers) == 1 and list(readers[0].input).count(tensor) == 1 else None


def _scales(node: NodeProto, source: str, constants: set[str]) -> bool:
    others = [name for name in node.input if name != source]
    return node.op_type in _MOVES or (node.op_type in _ARITHMETIC and all(name in constants for name in others))


def _alone(model: ModelProto, chain: Iterable[NodeProto], end: str) -> ModelProto:
    """The lead-in as a graph of its own, with what its constants are computed from."""
    graph = model.graph
    wanted, nodes = {name for node in chain for name in node.input}, list(chain)
    for node in reversed(graph.node):
        if node not in nodes and any(name in wanted for name in node.output):
            nodes.insert(0, node)
            wanted.update(node.input)
    weights = [tensor for tensor in graph.initializer if tensor.name in wanted]
    output = helper.make_tensor_value_info(end, TensorProto.FLOAT, None)
    alone = helper.make_graph(nodes, "lead_in", [graph.input[0]], [output], weights)
    return helper.make_model(alone, opset_imports=model.opset_import, ir_version=model.ir_version)


def _measure(lead_in: ModelProto, size: int) -> tuple[Pixels, bool]:
    """What it does to black and to white says what it does to every colour; a noisy picture is the proof."""
    session = open_session(lead_in)
    noise = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    black, white, found = (session.run(None, {"image": picture})[0] for picture in (noise * 0, noise * 0 + np.uint8(255), noise))
    nchw = found.shape == (1, 3, size, size)
    if not nchw and found.shape != noise.shape:
        raise ConversionError(f"the graph makes pictures of the shape {list(found.shape)}; expected [1,3,{size},{size}]")
    low, high = ((part if nchw else part.transpose(0, 3, 1, 2))[0, :, 0, 0].astype(np.float64) for part in (black, white))
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low != high).all()):
        raise ConversionError("the graph does not scale its pictures' colours; import the model again")
    std = 255 / (high - low)
    pixels = Pixels(_numbers(-low * std), _numbers(std))
    wanted = pixels.scale(noise)
    apart = np.abs(wanted - (found if nchw else found.transpose(0, 3, 1, 2))).max()
    if apart > _APART * np.ptp(wanted):
        raise ConversionError(f"the graph does more to its pictures than scale their colours ({apart:.2g} apart); import the model again")
    return pixels, nchw


def _numbers(values: NDArray[np.float64]) -> Numbers:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
