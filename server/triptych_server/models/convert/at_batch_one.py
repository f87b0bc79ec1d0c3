"""A served graph as compilers for small devices want it: one row at a time, float32 all through, no arithmetic on shapes."""

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper

from triptych_server.errors import ConversionError, ModelImportError
from triptych_server.models import surgery
from triptych_server.models.at_one import AtOne, run_at_one
from triptych_server.models.picture_input import dims

_SMALL_FLOATS = (TensorProto.FLOAT16, TensorProto.BFLOAT16)


def fix_batch(model: ModelProto) -> AtOne:
    """Fix the batch of a served graph (one input, all other axes known) at 1, in place; what hangs on shapes only becomes a constant.

    Returns the shapes of all tensors. ConversionError for a graph that cannot be followed.
    """
    graph = model.graph
    served = graph.input[0]
    kind, shape = served.type.tensor_type.elem_type, [1, *dims(served)[1:]]
    if None in shape:
        raise ConversionError(f"the served graph leaves open the size of its input {served.name}; import the model again")
    feed: NDArray[np.generic] = np.zeros([int(size or 1) for size in shape], helper.tensor_dtype_to_np_dtype(kind))
    try:
        at_one = run_at_one(model, {served.name: feed})
    except ModelImportError as error:
        raise ConversionError(f"the served graph cannot be followed: {error}") from error
    folded = {name for node in graph.node for name in node.output if name in at_one.values}
    kept = [node for node in graph.node if not all(name in folded for name in node.output if name)]
    surgery.replace_nodes(graph, kept, [numpy_helper.from_array(np.asarray(at_one.values[name]), name) for name in sorted(folded)])
    del graph.value_info[:]
    served.CopyFrom(helper.make_tensor_value_info(served.name, kind, feed.shape))
    for output in graph.output:
        output.CopyFrom(helper.make_tensor_value_info(output.name, output.type.tensor_type.elem_type, at_one.shapes[output.name]))
    surgery.prune(graph)
    return at_one


def widen_floats(model: ModelProto) -> None:
    """Make every half-precision weight, constant and cast of a graph float32, in place: a compiler rounds once, by itself."""
    graph = model.graph
    for tensor in graph.initializer:
        _widen(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                _widen(attribute.t)
            elif attribute.name in ("to", "dtype") and attribute.i in _SMALL_FLOATS:
                attribute.i = TensorProto.FLOAT
    del graph.value_info[:]


def _widen(tensor: TensorProto) -> None:
    if tensor.data_type in _SMALL_FLOATS:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
