"""A served graph cut in three: what is done to the pixels, the network proper for an accelerator, and a tail that wants float32.

                 head                         core                            tail
    image uint8 [B,S,S,3] - Pixels -> image float32 [1,3,S,S] -> pooled [1,D]                 - length 1 ------> embedding [B,D]
                                                              -> maps [1,channels,h,w]        - anchor decode -> boxes, scores, landmarks
    tokens int32 [B,L]     (none)  -> tokens int32 [1,L]      -> pooled [1,D]                 - length 1 ------> embedding [B,D]

Accelerators compute in half precision: the square of a long vector overflows there, and coordinates of 640 pixels lose half a pixel.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from onnx import GraphProto, ModelProto, ValueInfoProto, helper

from triptych_server.errors import ConversionError
from triptych_server.models import surgery
from triptych_server.models.attention import decompose_attention
from triptych_server.models.convert.at_batch_one import fix_batch, widen_floats
from triptych_server.models.convert.pixels import Pixels, find_lead_in
from triptych_server.models.convert.tails import find_tail, float_value
from triptych_server.models.store import EXTERNAL_ABOVE


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
    weights = sum(len(tensor.raw_data) for tensor in served.graph.initializer)
    if weights > EXTERNAL_ABOVE:
        raise ConversionError(f"the network has {weights / 1e9:.1f} GB of weights, and compilers read 2 GB; use a smaller model")
    core = ModelProto()
    core.CopyFrom(served)
    widen_floats(core)
    decompose_attention(core)
    shapes = fix_batch(core).shapes
    tail = find_tail(served, core, shapes)
    head = _cut_lead_in(core) if core.graph.input[0].name == "image" else None
    _end_at(core.graph, [(tensor, float_value(name, shapes[tensor])) for tensor, name in tail.cuts.items()])
    return Parts(head, core, tail.model)


def _cut_lead_in(core: ModelProto) -> Pixels:
    """Let the graph begin behind the scaling of its pictures, with float32 [1,3,S,S]."""
    graph = core.graph
    lead_in, size = find_lead_in(core), graph.input[0].type.tensor_type.shape.dim[1].dim_value
    keep = [node for node in graph.node if lead_in.end not in node.output]
    surgery.replace_nodes(graph, keep, [])
    graph.input[0].CopyFrom(float_value("image", [1, 3, size, size]))
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
