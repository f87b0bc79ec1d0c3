"""Requests to Triton made up in advance, so that sending costs little: question -> one gRPC call -> what became of it, and when."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

import grpc  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult, service_pb2
from tritonclient.grpc._utils import _get_inference_request

METHOD = "/inference.GRPCInferenceService/ModelInfer"
LONGEST_MESSAGE = 1 << 30
REFUSALS = ("requests waiting already", "timeout expired", "is busy")
"""What our queues say when they are full or somebody waited too long; any other UNAVAILABLE is a server or model that is not there."""


class Fate(StrEnum):
    """What can become of a request. A caller knows what to do in every case but the last."""

    ANSWERED = "answered"
    REFUSED = "refused"  # by a full queue, to be asked again
    NOT_THERE = "not there"  # the server or the model: connection lost, refused, being loaded
    BAD_INPUT = "bad input"
    FAILED = "failed"  # any other error
    LOST = "lost"  # no answer of any kind within the caller's patience


@dataclass(frozen=True, slots=True)
class Question:
    """A request for a model, ready to be sent; `name` tells it from others."""

    name: str
    model: str
    payload: bytes = field(repr=False)

    @classmethod
    def of(cls, name: str, model: str, inputs: Mapping[str, NDArray[Any]], outputs: tuple[str, ...], priority: int | None = None) -> Self:
        """From arrays with their batch axis, bytes as objects; with `priority` as the client sends it."""
        tensors = []
        for key, array in inputs.items():
            kinds = {"O": "BYTES", "f": "FP32", "i": "INT32", "u": "UINT8"}
            tensor = InferInput(key, list(array.shape), kinds[array.dtype.kind])
            tensor.set_data_from_numpy(array)
            tensors.append(tensor)
        request = _get_inference_request(
            model_name=model,
            inputs=tensors,
            model_version="",
            request_id=name,
            outputs=[InferRequestedOutput(output) for output in outputs],
            sequence_id=0,
            sequence_start=False,
            sequence_end=False,
            priority=0,
            timeout=None,
            parameters={"triptych_priority": priority} if priority else None,
        )
        return cls(name, model, request.SerializeToString())

    @classmethod
    def about_photo(cls, name: str, photo: bytes, model: str = "search_image", outputs: tuple[str, ...] = ("embedding",)) -> Self:
        """What a model says about an encoded photo."""
        return cls.of(name, model, {"image": np.array([[photo]], dtype=object)}, outputs)

    @classmethod
    def about_text(cls, text: str, name: str = "") -> Self:
        """A search's text."""
        return cls.of(name or text, "search_text", {"text": np.array([[text.encode()]], dtype=object)}, ("embedding",))

    @classmethod
    def about_new_text(cls, text: str, number: int) -> Self:
        """The same to the model, but with other white space for each number, so that no cache knows it."""
        return cls.about_text(text + f" {number:b}".replace("0", " ").replace("1", "\t"), text)


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a question: `sent` by `time.perf_counter`, `seconds` until it was told, `said` the error's text."""

    question: str
    fate: Fate
    sent: float
    seconds: float
    said: str = ""
    answer: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)


class Asker:
    """One gRPC channel to a Triton, used within `async with`."""

    def __init__(self, address: str, patience: float = 60.0) -> None:
        self._address, self._patience = address, patience

    async def __aenter__(self) -> Self:
        options = [
            ("grpc.max_receive_message_length", LONGEST_MESSAGE),
            ("grpc.max_send_message_length", LONGEST_MESSAGE),
            ("grpc.use_local_subchannel_pool", 1),  # a connection of its own
            ("grpc.max_reconnect_backoff_ms", 500),
        ]
        self._channel = grpc.aio.insecure_channel(self._address, options)
        self._call = self._channel.unary_unary(METHOD, response_deserializer=service_pb2.ModelInferResponse.FromString)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._channel.close()

    async def ask(self, question: Question) -> Reply:
        """Send it; never raises for what the server does."""
        sent = time.perf_counter()
        try:
            response = await self._call(question.payload, timeout=self._patience)
        except grpc.aio.AioRpcError as error:
            seconds, said = time.perf_counter() - sent, error.details() or ""
            return Reply(question.name, fate_of(error.code(), said), sent, seconds, f"{error.code().name}: {said}")
        seconds, result = time.perf_counter() - sent, InferResult(response)
        if response.id != question.name:
            return Reply(question.name, Fate.FAILED, sent, seconds, f"the answer of another question came: {response.id!r}")
        answer = {output.name: result.as_numpy(output.name) for output in response.outputs}
        return Reply(question.name, Fate.ANSWERED, sent, seconds, answer=answer)


def fate_of(code: grpc.StatusCode, said: str) -> Fate:
    """What an error means to its caller."""
    if code is grpc.StatusCode.UNAVAILABLE:
        return Fate.REFUSED if any(words in said for words in REFUSALS) else Fate.NOT_THERE
    known = {
        grpc.StatusCode.INVALID_ARGUMENT: Fate.BAD_INPUT,
        grpc.StatusCode.DEADLINE_EXCEEDED: Fate.LOST,
        grpc.StatusCode.NOT_FOUND: Fate.NOT_THERE,
        grpc.StatusCode.CANCELLED: Fate.NOT_THERE,  # nobody here cancels: the server ends
    }
    return known.get(code, Fate.FAILED)
