"""Which kind of CLIP tower a graph is: a graph as found in the wild in, a `VisualLayout` or `TextualLayout` out, or a reasoned refusal."""

from collections.abc import Iterable
from dataclasses import dataclass

from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto

from triptych_server.errors import ModelImportError
from triptych_server.models.surgery import needed

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
_IDS = (TensorProto.INT32, TensorProto.INT64)
_VISUAL_OUTPUTS = ("embedding", "image_embedding", "image_embeds", "image_features")
_TEXTUAL_OUTPUTS = ("embedding", "text_embedding", "text_embeds", "text_features")
_HIDDEN = ("last_hidden_state", "hidden_states", "logits_per_image", "logits_per_text")
_POOLED = "pooler_output"
_PASSED_ON = frozenset({"Identity", "Gather", "GatherND", "Reshape", "Squeeze", "Slice", "Flatten", "Cast"})

_KNOWN = """known forms: OpenCLIP and Immich exports (`image` float [1,3,S,S] or uint8 [B,S,S,3]; `text` int [1,L]), \
Hugging Face CLIPModel, CLIPVisionModelWithProjection and CLIPTextModelWithProjection exports (`pixel_values`; \
`input_ids`, `attention_mask`), M-CLIP text (`input_ids`, `attention_mask`), each with one embedding per row as its output"""


@dataclass(frozen=True, slots=True)
class VisualLayout:
    """An image tower: how it wants its picture, and what its embedding is called."""

    kind: str
    input: str
    output: str
    dtype: int  # TensorProto's: UINT8 (normalised in the graph), FLOAT or FLOAT16
    nchw: bool
    size: int | None  # pixels, a side; None where the graph leaves it open
    batch_fixed: bool


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
    inputs = _inputs(graph, output)
    if len(inputs) != 1 or len(_dims(inputs[0])) != 4:
        raise refusal(graph, "an image tower", f"one input with four axes for `{output}`")
    [picture] = inputs
    dtype, dims = picture.type.tensor_type.elem_type, _dims(picture)
    nchw = dims[3] != 3 if dims[1] != 3 else True
    sides = dims[2:] if nchw else dims[1:3]
    if dtype not in (TensorProto.UINT8, *_FLOATS) or (nchw and dtype == TensorProto.UINT8) or (nchw and dims[1] not in (3, None)):
        raise refusal(graph, "an image tower", "pictures as uint8 [B,S,S,3] or float [B,3,S,S]")
    if None not in sides and sides[0] != sides[1]:
        raise refusal(graph, "an image tower", "square pictures")
    kind = "huggingface" if picture.name == "pixel_values" else "openclip"
    kind = "immich-v2" if dtype == TensorProto.UINT8 else kind
    return VisualLayout(kind, picture.name, output, dtype, nchw, sides[0] or sides[1], dims[0] is not None)


def recognise_textual(model: ModelProto) -> TextualLayout:
    """The layout of a text tower, alone or in a file with the image tower; raises ModelImportError."""
    graph = model.graph
    output = _embedding(graph, _TEXTUAL_OUTPUTS, "text")
    inputs = _inputs(graph, output)
    masks = [value for value in inputs if "mask" in value.name]
    tokens = [value for value in inputs if "mask" not in value.name]
    if len(tokens) != 1 or len(masks) > 1 or any(len(_dims(value)) != 2 for value in inputs):
        raise refusal(graph, "a text tower", f"token ids [B,L], and at most an attention mask [B,L], as what `{output}` is computed from")
    dtype = tokens[0].type.tensor_type.elem_type
    if dtype not in _IDS:
        raise refusal(graph, "a text tower", "token ids as int32 or int64")
    batch, length = _dims(tokens[0])
    kind = "openclip"
    if tokens[0].name == "input_ids":
        kind = "m-clip" if masks and output == "embedding" else "huggingface"
    elif output == "text_embedding":
        kind = "immich-v2"
    mask = masks[0] if masks else None
    mask_dtype = mask.type.tensor_type.elem_type if mask else TensorProto.UNDEFINED
    return TextualLayout(kind, tokens[0].name, mask.name if mask else None, output, dtype, mask_dtype, length, batch is not None)


def refusal(graph: GraphProto, what: str, expected: str) -> ModelImportError:
    """The error for a graph that is none of the known forms: what it has, what was looked for, what to do."""
    return ModelImportError(
        f"this graph is not {what} that can be imported: expected {expected}; found inputs {_named(_real_inputs(graph))} and outputs "
        f"{_named(graph.output)}; {_KNOWN}. Export the model in one of these forms, or pull an export that has one."
    )


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
            raise refusal(graph, what, f"a projected embedding ({unprojected})")
        return _POOLED
    flat = [value.name for value in graph.output if value.name not in _HIDDEN and len(_dims(value)) == 2]
    if len(flat) != 1:
        raise refusal(graph, what, f"one {tower} embedding [B,D]")
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


def _inputs(graph: GraphProto, output: str) -> list[ValueInfoProto]:
    """The inputs that `output` is computed from."""
    found = needed(graph, [output])
    return [value for value in _real_inputs(graph) if value.name in found]


def _real_inputs(graph: GraphProto) -> list[ValueInfoProto]:
    """The inputs that are no weights (old exporters list those too)."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def _dims(value: ValueInfoProto) -> list[int | None]:
    """The shape, with None for what is open."""
    return [dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in value.type.tensor_type.shape.dim]


def _named(values: Iterable[ValueInfoProto]) -> str:
    texts = []
    for value in values:
        dims = ",".join(str(dim.dim_value or dim.dim_param or "?") for dim in value.type.tensor_type.shape.dim)
        texts.append(f"`{value.name}` {TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()}[{dims}]")
    return ", ".join(texts) or "none"
