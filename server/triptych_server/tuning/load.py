"""A steady load on one model, to measure a config under: requests of one item each, a fixed number in flight, over gRPC."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
import tritonclient.grpc.aio as triton
from PIL import Image
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig, ModelInput
from tritonclient.utils import InferenceServerException

from triptych_server.errors import EngineError

REQUEST_SECONDS = 60.0
IMAGE = "image"
"""The input that takes an encoded picture, in every model that does."""

_VARIETY = 16  # different inputs: one alone would be kept warm in caches
_TEXT_VARIETY = 20_000  # a text that comes again is answered from Triton's cache
_TEXTS = ("a dog on the beach", "two red boats at night", "birthday cake with candles", "a forest in the snow")
_NUMPY = {DataType.TYPE_UINT8: ("UINT8", np.uint8), DataType.TYPE_INT32: ("INT32", np.int32), DataType.TYPE_FP32: ("FP32", np.float32)}


@dataclass(frozen=True, slots=True)
class Measurement:
    """Items per second, and latencies in milliseconds, of the requests that were answered; `refused` is the share that was not. `sent`: how
    many of the inputs were used up, answered or not, the warm-up's too."""

    throughput: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    refused: float = 0.0
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """`in_flight` requests at a time: `warm_up` seconds without a look, then `seconds` measured."""

    in_flight: int
    seconds: float
    warm_up: float = 1.0


Inputs = Sequence[InferInput]
Outputs = Sequence[InferRequestedOutput]


def requests_for(config: ModelConfig, photos: Sequence[bytes] = (), seed: int = 0) -> list[Inputs]:
    """Inputs for a model: random pixels and tokens for networks; `photos` (drawn ones by default) and texts where it takes strings."""
    random = np.random.default_rng(seed)
    pictures = list(photos) or [drawn_photo(random) for _ in range(_VARIETY)]
    needed = [tensor for tensor in config.input if not tensor.optional]
    texts = any(tensor.data_type == DataType.TYPE_STRING and tensor.name != IMAGE for tensor in needed)
    count = _TEXT_VARIETY if texts else max(_VARIETY, len(pictures))
    return [[_input(tensor, config.max_batch_size > 0, index, pictures, random) for tensor in needed] for index in range(count)]


def drawn_photo(random: np.random.Generator, size: tuple[int, int] = (1440, 1080)) -> bytes:
    """A JPEG of soft noise, about as costly to decode as a photo of its size."""
    coarse = random.integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    out = BytesIO()
    picture.save(out, "JPEG", quality=80)
    return out.getvalue()


def measure(url: str, model: str, requests: Sequence[Inputs], load: Load, outputs: Sequence[Outputs] = (), first: int = 0) -> Measurement:
    """Send them in turn for the load's time, from the one numbered `first`; `url` is host:port. `outputs`: what each one in flight asks
    for, else everything in the message. EngineError when none was answered."""
    return asyncio.run(_measure(url, model, requests, load, outputs, first))


async def _measure(url: str, model: str, requests: Sequence[Inputs], load: Load, outputs: Sequence[Outputs], first: int) -> Measurement:
    lives: list[tuple[float, float]] = []
    refused: list[float] = []
    problem, past = "", first
    begin = time.perf_counter() + load.warm_up
    end = begin + load.seconds

    async def worker(client: triton.InferenceServerClient, place: int) -> None:
        nonlocal problem, past
        wanted = outputs[place] if outputs else None
        number = first + place
        while (sent := time.perf_counter()) < end:
            try:
                await client.infer(model, requests[number % len(requests)], outputs=wanted, client_timeout=REQUEST_SECONDS)
            except InferenceServerException as error:
                problem = error.message() or str(error)
                refused.append(time.perf_counter())
                await asyncio.sleep(0.01)  # a server that refuses at once must not be asked in a busy loop
            else:
                lives.append((sent, time.perf_counter()))
            number += load.in_flight
        past = max(past, number)

    async with triton.InferenceServerClient(url) as client, asyncio.TaskGroup() as group:
        for number in range(load.in_flight):
            group.create_task(worker(client, number))
    found = summary(lives, [moment for moment in refused if begin <= moment < end], begin, end, problem)
    return replace(found, sent=past - first)


def summary(lives: Sequence[tuple[float, float]], refused: Sequence[float], begin: float, end: float, problem: str = "") -> Measurement:
    """From the times (sent, answered) of all requests, and of the refusals inside the measured time. A request counts by the share of its
    life that lies inside: answers come in bursts of a batch. EngineError, with `problem`, when none was answered."""
    inside = [(sent, answered) for sent, answered in lives if begin <= answered < end]
    if not inside and lives:  # slower than the measured time: then all that was sent in it counts
        end = max(answered for _, answered in lives)
        inside = list(lives)
    if not inside:
        raise EngineError(f"no request was answered in {end - begin:.1f} s: {problem or 'measure for longer, or with fewer in flight'}")
    done = sum(max(0.0, min(answered, end) - max(sent, begin)) / (answered - sent) for sent, answered in lives)
    p50, p95, p99 = (float(value) for value in np.percentile([1e3 * (answered - sent) for sent, answered in inside], (50, 95, 99)))
    return Measurement(done / (end - begin), p50, p95, p99, len(refused) / (len(refused) + len(inside)))


def _input(tensor: ModelInput, batched: bool, index: int, pictures: Sequence[bytes], random: np.random.Generator) -> InferInput:
    """One tensor of a request of one item."""
    shape = ([1] if batched else []) + [abs(dim) for dim in tensor.dims]
    if tensor.data_type == DataType.TYPE_STRING:
        value = pictures[index % len(pictures)] if tensor.name == IMAGE else f"{_TEXTS[index % len(_TEXTS)]} {index}".encode()
        made = InferInput(tensor.name, shape, "BYTES")
        made.set_data_from_numpy(np.full(shape, value, dtype=np.object_))
        return made
    if tensor.data_type not in _NUMPY:
        raise EngineError(
            f"{tensor.name} is {DataType.Name(tensor.data_type)}; only models of pixels, tokens, pictures and texts can be tuned"
        )
    name, dtype = _NUMPY[tensor.data_type]
    made = InferInput(tensor.name, shape, name)
    made.set_data_from_numpy(random.integers(0, 255, shape).astype(dtype))
    return made
