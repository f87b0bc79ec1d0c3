"""Which kind of face network a graph is: a graph as found in the wild in, its layout out, or a reasoned refusal."""

from dataclasses import dataclass

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, numpy_helper

from triptych_server.errors import ModelImportError
from triptych_server.models.forms import picture_input, refusal
from triptych_server.models.layouts import VisualLayout
from triptych_server.models.picture_input import FLOATS, PictureInput, Scaling, dims

DETECTOR_SIZE = 640  # pixels a side of the letterbox
EMBEDDER_SIZE = 112  # pixels a side of an aligned face
HEADS = 9  # scores, boxes and landmarks, for each of three strides

# How InsightFace scales pictures for its networks, https://github.com/deepinsight/insightface (model_zoo: RetinaFace, ArcFaceONNX).
DETECTOR_SCALING = Scaling((0.5,) * 3, (128 / 255,) * 3)  # (x - 127.5) / 128
EMBEDDER_SCALING = Scaling((0.5,) * 3, (0.5,) * 3)  # (x - 127.5) / 127.5
BYTES = Scaling((0.0,) * 3, (1 / 255,) * 3)  # as they are, for graphs that scale by themselves

_FORMS = """known forms: SCRFD and RetinaFace detectors with nine outputs, scores, boxes and five landmarks for the strides 8, 16 and 32 \
(`input.1` float [1,3,H,W] or `image` uint8 [B,H,W,3]); ArcFace embedders (float [B,3,112,112] or uint8 [B,112,112,3], to one embedding)"""
_PASS_ON = frozenset({"Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
_LARGEST_SCALE = 0.05  # of a byte: 1/127.5 and 1/128 lie far below it, factors on a picture of -1 to 1 far above


@dataclass(frozen=True, slots=True)
class DetectorLayout:
    """A face detector: how it wants its picture, and its nine outputs in the order of the graph."""

    kind: str
    picture: PictureInput
    outputs: tuple[str, ...]
    scaling: Scaling


@dataclass(frozen=True, slots=True)
class EmbedderLayout(VisualLayout):
    """A face embedder: an image tower with a scaling of its own."""

    scaling: Scaling


def recognise_detector(model: ModelProto) -> DetectorLayout:
    """The layout of a face detector, as far as the graph tells without a run; raises ModelImportError."""
    graph = model.graph
    what = "a face detector"
    outputs = tuple(value.name for value in graph.output)
    if len(outputs) != HEADS or any(value.type.tensor_type.elem_type not in FLOATS for value in graph.output):
        missing = "; a detector without landmarks cannot serve, faces are aligned by them" if len(outputs) == HEADS - 3 else ""
        raise refusal(graph, what, f"nine outputs, found {len(outputs)}{missing}", _FORMS)
    picture = picture_input(graph, outputs, what, _FORMS)
    if picture.size not in (None, DETECTOR_SIZE):
        raise ModelImportError(
            f"the detector takes pictures of {picture.size} pixels, the server gives it {DETECTOR_SIZE}; "
            f"export it with an open height and width, or with {DETECTOR_SIZE}"
        )
    kind, scaling = _kind_and_scaling(graph, picture, "scrfd", DETECTOR_SCALING)
    return DetectorLayout(kind, picture, outputs, scaling)


def recognise_embedder(model: ModelProto) -> EmbedderLayout:
    """The layout of a face embedder; raises ModelImportError."""
    graph = model.graph
    what = "a face embedder"
    outputs = list(graph.output)
    if len(outputs) != 1 or outputs[0].type.tensor_type.elem_type not in FLOATS or len(dims(outputs[0])) not in (0, 2):
        raise refusal(graph, what, "one embedding [B,D]", _FORMS)
    picture = picture_input(graph, [outputs[0].name], what, _FORMS)
    if picture.size not in (None, EMBEDDER_SIZE):
        raise refusal(graph, what, f"aligned faces of {EMBEDDER_SIZE} pixels a side", _FORMS)
    kind, scaling = _kind_and_scaling(graph, picture, "arcface", EMBEDDER_SCALING)
    return EmbedderLayout(kind, picture, outputs[0].name, scaling)


def refuse_detector(graph: GraphProto, expected: str) -> ModelImportError:
    """The error for a graph that looks like a detector until it is run."""
    return refusal(graph, "a face detector", expected, _FORMS)


def _kind_and_scaling(graph: GraphProto, picture: PictureInput, kind: str, usual: Scaling) -> tuple[str, Scaling]:
    if picture.dtype == TensorProto.UINT8:
        return "immich-v2", BYTES
    return (f"{kind}-scaled", BYTES) if scales_bytes(graph, picture.name) else (kind, usual)


def scales_bytes(graph: GraphProto, source: str) -> bool:
    """Whether the graph begins by bringing bytes (0 to 255) to about -1 to 1, as exports from MXNet do.

    InsightFace looks for nodes named Sub and Mul among the first eight, and then feeds bytes. Names are lost when a graph is
    simplified, and a Mul may stand for something else (of a net that wants another range than its callers give), so what is
    asked here is what the graph does: the arithmetic with constants that its input meets first, as one factor and one shift.
    """
    held = {tensor.name: tensor for tensor in graph.initializer}
    held |= {node.output[0]: node.attribute[0].t for node in graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"}
    tensor, factor, shifted = source, 1.0, False
    while True:
        readers = [node for node in graph.node if tensor in node.input]
        if len(readers) != 1:
            break
        [node] = readers
        other = [name for name in node.input if name != tensor]
        if node.op_type in ("Add", "Div", "Mul", "Sub") and len(other) == 1 and _is_per_channel(held.get(other[0])):
            value = float(numpy_helper.to_array(held[other[0]]).astype(np.float64).mean())
            shifted |= node.op_type in ("Add", "Sub") and value != 0
            factor *= {"Mul": value, "Div": 1 / value if value else 0.0}.get(node.op_type, 1.0)
        elif node.op_type not in _PASS_ON:
            break
        tensor = node.output[0]
    return shifted and 0 < abs(factor) <= _LARGEST_SCALE


def _is_per_channel(tensor: TensorProto | None) -> bool:
    """Whether there is a constant of one number, or of one for each channel."""
    return tensor is not None and np.prod(tensor.dims, dtype=int) in (1, 3)
