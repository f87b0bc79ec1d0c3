"""A served graph cut in three: what is done to the pixels, the network proper for an accelerator, and a tail that wants float32.

                 head                         core                            tail
    image uint8 [B,S,S,3] - Pixels -> image float32 [1,3,S,S] -> pooled [1,D]                 - length 1 ------> embedding [B,D]
                                                              -> head_0..8 [1,rows,channels]  - anchor decode -> boxes, scores, landmarks
    tokens int32 [B,L]     (none)  -> tokens int32 [1,L]      -> pooled [1,D]                 - length 1 ------> embedding [B,D]

Accelerators compute in half precision: the square of a long vector overflows there, and coordinates of 640 pixels lose half a pixel.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from triptych_server.errors import ConversionError
from triptych_server.models import surgery
from triptych_server.models.convert.at_batch_one import fix_batch, widen_floats
from triptych_server.models.convert.pixels import Pixels, find_lead_in

_HEADS = tuple(f"triptych::head_{index}" for index in range(9))
"""The names that the import gives to a detector's raw outputs."""


@dataclass(frozen=True, slots=True)
class Parts:
    """`core`: batch 1, float32, its weights inside. `tail`: any batch, its inputs are named as the core's outputs; its outputs are the
    served graph's. `head` is None for a text tower, whose core takes `tokens` as they are."""

    head: Pixels | None
    core: ModelProto
    tail: ModelProto


def cut(served: ModelProto) -> Parts:
    """Cut a served graph, given with its weights and left as it is. ConversionError for a graph that is not in the served form."""
    names = {value.name for value in served.graph.output}
    if names not in ({"embedding"}, {"boxes", "scores", "landmarks"}):
        raise ConversionError(f"the graph gives {', '.join(sorted(names))}; expected embedding, or boxes, scores and landmarks")
    core = ModelProto()
    core.CopyFrom(served)
    widen_floats(core)
    shapes = fix_batch(core).shapes
    if "boxes" in names:
        cuts = {name: name.removeprefix("triptych::") for name in _HEADS}
        tail = _decoding(served, [_value(inside, ["batch", *shapes[name][1:]]) for name, inside in _present(served, cuts)])
    else:
        pooled = _before_length(core.graph)
        cuts = {pooled: "pooled"}
        tail = _length(surgery.opset(served), served.ir_version, shapes[pooled][-1])
    head = _cut_lead_in(core) if core.graph.input[0].name == "image" else None
    _end_at(core.graph, [(name, _value(inside, shapes[name])) for name, inside in cuts.items()])
    return Parts(head, core, tail)


def _present(served: ModelProto, cuts: dict[str, str]) -> Iterable[tuple[str, str]]:
    made = {name for node in served.graph.node for name in node.output}
    if missing := [name for name in cuts if name not in made]:
        raise ConversionError(f"the detector was imported by another release (there is no tensor {missing[0]}); import the model again")
    return cuts.items()


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
    pooled, embedding = (_value(name, ["batch", dim]) for name in ("pooled", "embedding"))
    return _model(helper.make_graph(nodes, "tail", [pooled], [embedding], constants), version, ir_version)


def _decoding(served: ModelProto, heads: Sequence[ValueInfoProto]) -> ModelProto:
    """What the import put behind the heads, taken from the graph with the open batch."""
    nodes, reached = list[NodeProto](), set(_HEADS)
    for node in served.graph.node:
        if any(name in reached for name in node.input):
            nodes.append(node)
            reached.update(node.output)
    read = {name for node in nodes for name in node.input}
    constants = [tensor for tensor in served.graph.initializer if tensor.name in read]
    graph = helper.make_graph(nodes, "tail", [], list(served.graph.output), constants)
    surgery.rename(graph, {name: name.removeprefix("triptych::") for name in _HEADS})
    graph.input.extend(heads)
    return _model(graph, surgery.opset(served), served.ir_version)


def _cut_lead_in(core: ModelProto) -> Pixels:
    """Let the graph begin behind the scaling of its pictures, with float32 [1,3,S,S]."""
    graph = core.graph
    lead_in, size = find_lead_in(core), graph.input[0].type.tensor_type.shape.dim[1].dim_value
    keep = [node for node in graph.node if lead_in.end not in node.output]
    surgery.replace_nodes(graph, keep, [])
    graph.input[0].CopyFrom(_value("image", [1, 3, size, size]))
    surgery.rename(graph, {"image": "image::bytes"})  # the nodes of the lead-in still read it, until they are pruned
    graph.input[0].name = "image"
    if lead_in.nchw:
        surgery.rename(graph, {lead_in.end: "image"})
    else:
        surgery.put_before(graph, [helper.make_node("Transpose", ["image"], [lead_in.end], "triptych::Transpose", perm=[0, 2, 3, 1])])
    return lead_in.pixels


def _end_at(graph: GraphProto, cuts: Iterable[tuple[str, ValueInfoProto]]) -> None:
    """Let the graph end at these tensors, under the names of their new descriptions."""
    cuts = list(cuts)
    del graph.output[:]
    surgery.rename(graph, {value.name: f"inner::{value.name}" for name, value in cuts if name != value.name})
    surgery.rename(graph, {name: value.name for name, value in cuts})
    graph.output.extend(value for _, value in cuts)
    surgery.prune(graph)


def _value(name: str, shape: Sequence[int | str]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def _model(graph: GraphProto, version: int, ir_version: int) -> ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=ir_version, producer_name="triptych")
