"""A served graph cut in three: what is done to the pixels, the network proper for an accelerator, and a tail that wants float32.

                 head                         core                            tail
    image uint8 [B,S,S,3] - Pixels -> image float32 [1,3,S,S] -> pooled [1,D]                 - length 1 ------> embedding [B,D]
                                                              -> maps [1,channels,h,w]        - anchor decode -> boxes, scores, landmarks
    tokens int32 [B,L]     (none)  -> tokens int32 [1,L]      -> pooled [1,D]                 - length 1 ------> embedding [B,D]

Accelerators compute in half precision: the square of a long vector overflows there, and coordinates of 640 pixels lose half a pixel.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from triptych_server.errors import ConversionError
from triptych_server.models import surgery
from triptych_server.models.attention import decompose_attention
from triptych_server.models.convert.at_batch_one import fix_batch, widen_floats
from triptych_server.models.convert.pixels import Pixels, constant_tensors, find_lead_in

_NETWORK = frozenset(
    {"AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization",
     "LayerNormalization", "MatMul", "MaxPool", "PRelu", "Resize", "Upsample"}
)  # fmt: skip
"""What a detector computes its maps with; what comes after the last of these is decoding."""


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
    decompose_attention(core)
    shapes = fix_batch(core).shapes
    if "boxes" in names:
        cuts = {tensor: f"map_{index}" for index, tensor in enumerate(_maps(served.graph))}
        tail = _decoding(served, [(tensor, _value(name, ["batch", *shapes[tensor][1:]])) for tensor, name in cuts.items()])
    else:
        pooled = _before_length(core.graph)
        cuts = {pooled: "pooled"}
        tail = _length(surgery.opset(served), served.ir_version, shapes[pooled][-1])
    head = _cut_lead_in(core) if core.graph.input[0].name == "image" else None
    _end_at(core.graph, [(tensor, _value(name, shapes[tensor])) for tensor, name in cuts.items()])
    return Parts(head, core, tail)


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
    pooled, embedding = (_value(name, ["batch", dim]) for name in ("pooled", "embedding"))
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
