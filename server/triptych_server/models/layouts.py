"""Which kind of CLIP tower a graph is: a graph as found in the wild in, a `VisualLayout` or `TextualLayout` out, or a reasoned refusal."""

from dataclasses import dataclass

from onnx import GraphProto, ModelProto, TensorProto

from triptych_server.models.forms import inputs_of, picture_input, refusal
from triptych_server.models.picture_input import PictureInput, dims

_IDS = (TensorProto.INT32, TensorProto.INT64)
_VISUAL_OUTPUTS = ("embedding", "image_embedding", "image_embeds", "image_features")
_TEXTUAL_OUTPUTS = ("embedding", "text_embedding", "text_embeds", "text_features")
_HIDDEN = ("last_hidden_state", "hidden_states", "logits_per_image", "logits_per_text")
_POOLED = "pooler_output"
_PASSED_ON = frozenset({"Identity", "Gather", "GatherND", "Reshape", "Squeeze", "Slice", "Flatten", "Cast"})

_CLIP_FORMS = """known forms: OpenCLIP and Immich exports (`image` float [1,3,S,S] or uint8 [B,S,S,3]; `text` int [1,L]), \
Hugging Face CLIPModel, CLIPVisionModelWithProjection and CLIPTextModelWithProjection exports (`pixel_values`; \
`input_ids`, `attention_mask`), M-CLIP text (`input_ids`, `attention_mask`), each with one embedding per row as its output"""


@dataclass(frozen=True, slots=True)
class VisualLayout:
    """An image tower: how it wants its picture, and what its embedding is called."""

    kind: str
    picture: PictureInput
    output: str


@dataclass(frozen=True, slots=True)
class TextualLayout:
    """A text tower: how it wants its tokens (and the mask over them, if any), and what its embedding is called."""

    kind: str
    input: str
    mask: str | None
    output: str
    dtype: int  # TensorProto's: INT32 or INT64
    mask_dtype: int  # TensorProto's; UNDEFINED without a mask
    context_length: int | None  # tokens; None where the graph leaves it open
    batch_fixed: bool


def recognise_visual(model: ModelProto) -> VisualLayout:
    """The layout of an image tower, alone or in a file with the text tower; raises ModelImportError."""
    graph = model.graph
    output = _embedding(graph, _VISUAL_OUTPUTS, "image")
    picture = picture_input(graph, [output], "an image tower", _CLIP_FORMS)
    kind = "huggingface" if picture.name == "pixel_values" else "openclip"
    kind = "immich-v2" if picture.dtype == TensorProto.UINT8 else kind
    return VisualLayout(kind, picture, output)


def recognise_textual(model: ModelProto) -> TextualLayout:
    """The layout of a text tower, alone or in a file with the image tower; raises ModelImportError."""
    graph = model.graph
    output = _embedding(graph, _TEXTUAL_OUTPUTS, "text")
    inputs = inputs_of(graph, [output])
    masks = [value for value in inputs if "mask" in value.name]
    tokens = [value for value in inputs if "mask" not in value.name]
    if len(tokens) != 1 or len(masks) > 1 or any(len(dims(value)) != 2 for value in inputs):
        expected = f"token ids [B,L], and at most an attention mask [B,L], as what `{output}` is computed from"
        raise refusal(graph, "a text tower", expected, _CLIP_FORMS)
    dtype = tokens[0].type.tensor_type.elem_type
    if dtype not in _IDS:
        raise refusal(graph, "a text tower", "token ids as int32 or int64", _CLIP_FORMS)
    batch, length = dims(tokens[0])
    kind = "openclip"
    if tokens[0].name == "input_ids":
        kind = "m-clip" if masks and output == "embedding" else "huggingface"
    elif output == "text_embedding":
        kind = "immich-v2"
    mask = masks[0] if masks else None
    mask_dtype = mask.type.tensor_type.elem_type if mask else TensorProto.UNDEFINED
    return TextualLayout(kind, tokens[0].name, mask.name if mask else None, output, dtype, mask_dtype, length, batch is not None)


def _embedding(graph: GraphProto, names: tuple[str, ...], tower: str) -> str:
    """The name of the output that is the embedding."""
    outputs = [value.name for value in graph.output]
    known = next((name for name in names if name in outputs), None)
    if known:
        return known
    what = f"an {tower} tower" if tower == "image" else f"a {tower} tower"
    if _POOLED in outputs:
        if _ends_in_norm(graph, _POOLED):
            unprojected = f"`{_POOLED}` here is the state before the projection; export the model WithProjection"
            raise refusal(graph, what, f"a projected embedding ({unprojected})", _CLIP_FORMS)
        return _POOLED
    flat = [value.name for value in graph.output if value.name not in _HIDDEN and len(dims(value)) == 2]
    if len(flat) != 1:
        raise refusal(graph, what, f"one {tower} embedding [B,D]", _CLIP_FORMS)
    return flat[0]


def _ends_in_norm(graph: GraphProto, output: str) -> bool:
    """Whether a tensor is picked from a layer norm's result, as CLIP's pooled state is; SigLIP's comes from its own head."""
    makers = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name for tensor in graph.initializer} | {n.output[0] for n in graph.node if n.op_type == "Constant"}
    node = makers.get(output)
    while node is not None:
        if node.op_type in ("LayerNormalization", "Div"):  # Div: a norm spelled out
            return True
        affine = node.op_type in ("Add", "Mul") and any(name in constants for name in node.input)
        if node.op_type not in _PASSED_ON and not affine:
            return False
        node = next((makers[name] for name in node.input if name in makers and name not in constants), None)
    return False
