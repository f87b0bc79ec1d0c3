"""What both protocols and both styles share: tensors of a call, times, and channel options."""

from typing import Any, Protocol

from numpy.typing import NDArray
from tritonclient.utils import np_to_triton_dtype

from triptych.calls import Call, Tensors
from triptych.errors import ServerError
from triptych.transport.base import Connection

# Triton's own gRPC limit is a compile-time constant of the same size; limits that matter are the server's parameters.
_LARGEST_MESSAGE = 2**31 - 1

PRIORITY = "triptych_priority"
"""The request parameter by which Triptych's models see the priority: Triton shows its own to native backends' queues only."""


class TritonModule(Protocol):
    """The part that `tritonclient.grpc` and `tritonclient.http` name alike."""

    InferInput: Any
    InferRequestedOutput: Any


def infer_arguments(module: TritonModule, call: Call) -> dict[str, Any]:
    """Keyword arguments of tritonclient's `infer`, in the tensor classes of `module`."""
    return {
        "model_name": call.model,
        "inputs": [_infer_input(module, name, data) for name, data in call.inputs.items()],
        "outputs": [module.InferRequestedOutput(name) for name in call.outputs],
        "priority": call.priority,
        "parameters": {PRIORITY: call.priority},
        "request_id": call.request_id,
    }


def _infer_input(module: TritonModule, name: str, data: NDArray[Any]) -> Any:
    tensor = module.InferInput(name, list(data.shape), np_to_triton_dtype(data.dtype))
    tensor.set_data_from_numpy(data)
    return tensor


def answered(call: Call, result: Any) -> Tensors:
    """The outputs that `call` asks for, as far as tritonclient's `result` has them; raises ServerError for broken ones."""
    tensors = {}
    for name in call.outputs:
        try:
            tensor = result.as_numpy(name)
        except ValueError:
            raise ServerError(f"{call.model!r} answered a tensor {name!r} whose data does not fill its shape") from None
        if tensor is not None:
            tensors[name] = tensor
    return tensors


def microseconds(seconds: float) -> int:
    """A timeout as Triton's queues take it; never 0, which would mean none."""
    return max(1, int(seconds * 1e6))


def channel_options(address: str) -> list[tuple[str, int]]:
    """gRPC channel options: no size limit of the client's own, and a channel that tries again as soon as we do."""
    return [
        # A proxy that the environment names is of no use for what runs on this machine.
        ("grpc.enable_http_proxy", int(not address.startswith(("127.", "localhost", "[::1]")))),
        ("grpc.max_send_message_length", _LARGEST_MESSAGE),
        ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
        # The default of 1 s would answer our first retries from the memory of the last failure.
        ("grpc.initial_reconnect_backoff_ms", 50),
        ("grpc.min_reconnect_backoff_ms", 5000),  # also the time a connection attempt gets
        ("grpc.max_reconnect_backoff_ms", 2000),
    ]


def grpc_credentials(connection: Connection) -> dict[str, Any]:
    """TLS arguments of tritonclient's gRPC clients."""
    tls = connection.tls
    files = (tls.root_certificates, tls.private_key, tls.certificate) if tls else (None, None, None)
    names = ("root_certificates", "private_key", "certificate_chain")
    return {"ssl": connection.endpoint.secure, **dict(zip(names, files, strict=True))}
