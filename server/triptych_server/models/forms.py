"""What a graph shows of itself, its inputs and outputs, and the refusal of one that has none of the known forms."""

from collections.abc import Iterable, Sequence

from onnx import GraphProto, TensorProto, ValueInfoProto

from triptych_server.errors import ModelImportError
from triptych_server.models.picture_input import PictureInput
from triptych_server.models.surgery import needed


def picture_input(graph: GraphProto, outputs: Sequence[str], what: str, forms: str) -> PictureInput:
    """The one input, a picture, that `outputs` are computed from; `what` and `forms` are for the refusal of anything else."""
    inputs = inputs_of(graph, outputs)
    if len(inputs) != 1:
        raise refusal(graph, what, f"one picture as what `{outputs[0]}` is computed from", forms)
    try:
        return PictureInput.read(inputs[0])
    except ValueError as error:
        raise refusal(graph, what, str(error), forms) from None


def refusal(graph: GraphProto, what: str, expected: str, forms: str) -> ModelImportError:
    """The error for a graph that is none of the known forms: what it has, what was looked for, what to do."""
    return ModelImportError(
        f"this graph is not {what} that can be imported: expected {expected}; found inputs {_named(_real_inputs(graph))} and outputs "
        f"{_named(graph.output)}; {forms}. Export the model in one of these forms, or pull an export that has one."
    )


def inputs_of(graph: GraphProto, outputs: Sequence[str]) -> list[ValueInfoProto]:
    """The inputs that `outputs` are computed from."""
    found = needed(graph, outputs)
    return [value for value in _real_inputs(graph) if value.name in found]


def _real_inputs(graph: GraphProto) -> list[ValueInfoProto]:
    """The inputs that are no weights (old exporters list those too)."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def _named(values: Iterable[ValueInfoProto]) -> str:
    texts = []
    for value in values:
        shape = ",".join(str(dim.dim_value or dim.dim_param or "?") for dim in value.type.tensor_type.shape.dim)
        texts.append(f"`{value.name}` {TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()}[{shape}]")
    return ", ".join(texts) or "none"
