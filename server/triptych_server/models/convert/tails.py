"""Where the network of a served graph ends, and the float32 graph of what is left to do then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from triptych_server.errors import ConversionError
from triptych_server.models import surgery
from triptych_server.models.batch_axis import Shape
from triptych_server.models.convert.at_batch_one import widen_floats
from triptych_server.models.convert.pixels import constant_tensors

_NETWORK = frozenset(
    {"AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization",
     "LayerNormalization", "MatMul", "MaxPool", "PRelu", "Resize", "Upsample"}
)  # fmt: skip
"""What a detector computes its maps with; what comes after the last of these is decoding."""


@dataclass(frozen=True, slots=True)
class Tail:
    """`cuts`: the tensors at which the network ends, each with its new name. `model` takes them in any batch, and gives what is served."""

    cuts: Mapping[str, str]
    model: ModelProto


def find_tail(served: ModelProto, at_one: ModelProto, shapes: Mapping[str, Shape]) -> Tail:
    """The tail of a served graph; `at_one` is the same graph with a batch of one, `shapes` are those of its tensors. ConversionError for a
    detector whose decoding is woven into its network.
    """
    if any(value.name == "boxes" for value in served.graph.output):
        cuts = {tensor: f"map_{index}" for index, tensor in enumerate(_maps(served.graph))}
        maps = [(tensor, float_value(name, ["batch", *shapes[tensor][1:]])) for tensor, name in cuts.items()]
        return Tail(cuts, _decoding(served, maps))
    pooled = _before_length(at_one.graph)  # here nothing hangs on the picture's shape
    return Tail({pooled: "pooled"}, _length(surgery.opset(served), served.ir_version, shapes[pooled][-1]))


def _maps(graph: GraphProto) -> list[str]:
    """The tensors in which a detector's network ends and its decoding begins."""
    fed, decoding = set[str](), list[NodeProto]()
    for node in reversed(graph.node):
        if node.op_type in _NETWORK or any(name in fed for name in node.output):
            fed.update(node.input)
        else:
            decoding.insert(0, node)
    made = {name for node in decoding for name in node.output} | constant_tensors(graph)
    found = dict.fromkeys(name for node in decoding for name in node.input if name and name not in made)
    if not found or graph.input[0].name in found:
        raise ConversionError("the detector's network cannot be told from its decoding; import the model again")
    return list(found)


def _before_length(graph: GraphProto) -> str:
    """The tensor [1,D] that the graph at last divides by its own length: the embedding itself where no such step is found.

    Whatever is taken, dividing it by its length gives the embedding; so a wrong guess would cost precision on a device, nothing else.
    """
    makers = {name: node for node in graph.node for name in node.output}
    last = makers["embedding"]
    while last.op_type in ("Cast", "Identity") and last.input[0] in makers:
        last = makers[last.input[0]]
    if last.op_type == "LpNormalization":
        return last.input[0]
    if last.op_type in ("Div", "Mul"):
        served = graph.input[0].name
        for source, factor in (last.input, reversed(last.input)):
            if source in makers and _is_length(makers, source, factor, served):
                return str(source)
    return "embedding"


def _is_length(makers: Mapping[str, NodeProto], source: str, factor: str, served: str) -> bool:
    """Whether `factor` is computed from `source` and weights alone, with a sum on the way; any other way leads to the input `served`."""
    open_names, seen, sums = [factor], {source}, False
    while open_names:
        name = open_names.pop()
        if name == served:
            return False
        if name in makers and name not in seen:
            sums |= makers[name].op_type in ("ReduceL2", "ReduceSum", "ReduceSumSquare")
            open_names += makers[name].input
        seen.add(name)
    return sums


def _length(version: int, ir_version: int, dim: int) -> ModelProto:
    nodes, constants = surgery.unit_length("pooled", "embedding", version)
    pooled, embedding = (float_value(name, ["batch", dim]) for name in ("pooled", "embedding"))
    return _model(helper.make_graph(nodes, "tail", [pooled], [embedding], constants), version, ir_version)


def _decoding(served: ModelProto, maps: Sequence[tuple[str, ValueInfoProto]]) -> ModelProto:
    """What is behind the maps, taken from the graph with the open batch; a map is known inside, and under the name of its description."""
    starts = {tensor for tensor, _ in maps}
    nodes, wanted = list[NodeProto](), {value.name for value in served.graph.output}
    for node in reversed(served.graph.node):
        if any(name in wanted and name not in starts for name in node.output):
            nodes.insert(0, node)
            wanted.update(node.input)
    constants = [tensor for tensor in served.graph.initializer if tensor.name in wanted]
    graph = helper.make_graph(nodes, "tail", [], list(served.graph.output), constants)
    surgery.rename(graph, {tensor: value.name for tensor, value in maps})
    graph.input.extend(value for _, value in maps)
    tail = _model(graph, surgery.opset(served), served.ir_version)
    widen_floats(tail)
    return tail


def float_value(name: str, shape: Sequence[int | str]) -> ValueInfoProto:
    """A float32 tensor's description."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def _model(graph: GraphProto, version: int, ir_version: int) -> ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=ir_version, producer_name="triptych")
