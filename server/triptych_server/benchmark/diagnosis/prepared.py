"""A network's inputs and answers in system shared memory, so that a request over gRPC is a short note and no tensors."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
from tritonclient import grpc
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig, ModelInput, ModelOutput
from tritonclient.utils import InferenceServerException

from triptych_server.engine.shared_memory import new_prefix
from triptych_server.errors import EngineError
from triptych_server.tuning.load import Inputs

_TYPES: dict[int, tuple[str, np.dtype[Any]]] = {
    DataType.TYPE_UINT8: ("UINT8", np.dtype(np.uint8)),
    DataType.TYPE_INT32: ("INT32", np.dtype(np.int32)),
    DataType.TYPE_INT64: ("INT64", np.dtype(np.int64)),
    DataType.TYPE_FP16: ("FP16", np.dtype(np.float16)),
    DataType.TYPE_FP32: ("FP32", np.dtype(np.float32)),
}
_SEED = 7


@dataclass(frozen=True, slots=True)
class Prepared:
    """Requests, and where each one in flight wants its answer."""

    requests: Sequence[Inputs]
    outputs: Sequence[Sequence[InferRequestedOutput]]


def row_bytes(tensor: ModelInput | ModelOutput) -> int | None:
    """Bytes of one row; None for strings and for sizes that vary."""
    if tensor.data_type not in _TYPES or any(dim < 0 for dim in tensor.dims):
        return None
    return int(np.prod(tensor.dims)) * _TYPES[tensor.data_type][1].itemsize


def is_prepared(config: ModelConfig) -> bool:
    """Whether all tensors of a model have sizes that are known beforehand."""
    return all(row_bytes(tensor) is not None for tensor in (*config.input, *config.output))


@contextlib.contextmanager
def shared_memory(url: str, config: ModelConfig, in_flight: int, rows: int) -> Iterator[Prepared]:
    """Random tensors for `in_flight` requests of `rows` rows each, and room for their answers, registered with Triton inside the block.

    EngineError when Triton does not open shared memory to clients, or cannot reach this machine's.
    """
    sizes = {tensor.name: rows * (row_bytes(tensor) or 0) for tensor in (*config.input, *config.output)}
    name = f"{new_prefix()}diagnose"
    region = SharedMemory(name, create=True, size=in_flight * sum(sizes.values()))
    try:
        with grpc.InferenceServerClient(url) as client:
            try:
                client.register_system_shared_memory(name, f"/{name}", region.size)
            except InferenceServerException as error:
                raise EngineError(
                    f"Triton did not take shared memory ({error.message()}); `triptych serve --client-shared-memory` opens it"
                ) from None
            try:
                yield _prepared(config, name, region, in_flight, rows)
            finally:
                with contextlib.suppress(InferenceServerException):  # it may have ended
                    client.unregister_system_shared_memory(name)
    finally:
        region.close()
        region.unlink()


def _prepared(config: ModelConfig, name: str, region: SharedMemory, in_flight: int, rows: int) -> Prepared:
    memory = region.buf
    assert memory is not None
    random, offset = np.random.default_rng(_SEED), 0
    requests: list[list[InferInput]] = []
    outputs: list[list[InferRequestedOutput]] = []
    for _ in range(in_flight):
        requests.append([])
        outputs.append([])
        for tensor in config.input:
            datatype, dtype = _TYPES[tensor.data_type]
            shape = [rows, *tensor.dims]
            values = random.integers(0, 255, shape).astype(dtype)
            memory[offset : offset + values.nbytes] = values.tobytes()
            made = InferInput(tensor.name, shape, datatype)
            made.set_shared_memory(name, values.nbytes, offset)
            requests[-1].append(made)
            offset += values.nbytes
        for tensor in config.output:
            wanted, size = InferRequestedOutput(tensor.name), rows * (row_bytes(tensor) or 0)
            wanted.set_shared_memory(name, size, offset)
            outputs[-1].append(wanted)
            offset += size
    return Prepared(requests, outputs)
