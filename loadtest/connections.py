"""How each service is asked: (task, url, photos) -> an async function that sends the next photo in turn and checks the answer.

Request bodies are built before anything is measured.
"""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, Self
from uuid import uuid4

import aiohttp
import numpy as np
import numpy.typing as npt
import orjson
import tritonclient.grpc.aio as grpc

Array = npt.NDArray[np.float64]
Task = Literal["search_image", "faces", "photo", "search_image, then faces", "plain embed", "plain faces", "predict"]
GATEWAY_CLIP = "ViT-B-32__openai"
"""The name that the gateway is asked for, and started with: the models of load tests have none."""
OUTPUTS = ("embedding", "embeddings", "boxes")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one photo: `embeddings` [N,D] and, of faces, `boxes` [N,4] in the photo's pixels. ValueError unless the
    embeddings are of unit length: a service that answers fast and wrong must not win."""

    embeddings: Sequence[Array]
    boxes: Array

    def __post_init__(self) -> None:
        for embedding in self.embeddings:
            if abs((length := np.linalg.norm(embedding)) - 1) > 1e-2:  # bf16 leaves about 1e-3
                raise ValueError(f"an embedding of length {length:.4f} came back, 1 was expected")

    @classmethod
    def of(cls, embedding: npt.ArrayLike | None = None, embeddings: npt.ArrayLike = (), boxes: npt.ArrayLike = ()) -> Self:
        """The photo's own embedding [D] first, where there is one, then those of its faces [N,D]."""
        own = [] if embedding is None else [np.asarray(embedding, np.float64)]
        return cls([*own, *np.asarray(embeddings, np.float64)], np.asarray(boxes, np.float64).reshape(-1, 4))


Send = Callable[[], Awaitable[Answer]]
Connect = Callable[[str, Sequence[bytes]], AbstractAsyncContextManager[Send]]


@asynccontextmanager
async def triton(models: Sequence[str], url: str, jpegs: Sequence[bytes]) -> AsyncIterator[Send]:
    """Each photo to the models one after the other, over gRPC; `url` is host:port."""
    requests = []
    for jpeg in jpegs:
        tensor = grpc.InferInput("image", [1, 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[jpeg]], dtype=np.object_))
        requests.append([tensor])
    turns = itertools.cycle(requests)
    async with grpc.InferenceServerClient(url) as client:

        async def send() -> Answer:
            tensors, found = next(turns), dict[str, Array]()
            for model in models:
                result = await client.infer(model, tensors)
                found |= {name: value[0] for name in OUTPUTS if (value := result.as_numpy(name)) is not None}
            return Answer.of(**found)

        yield send


@asynccontextmanager
async def plain(path: str, url: str, jpegs: Sequence[bytes]) -> AsyncIterator[Send]:
    """Post to the plain service over HTTP; `url` is http://host:port."""
    boundary = uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    bodies = itertools.cycle([head.encode() + j + f"\r\n--{boundary}--\r\n".encode() for j in jpegs])
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), raise_for_status=True) as session:

        async def send() -> Answer:
            async with session.post(f"{url}/{path}", data=next(bodies), headers=headers) as response:
                result = (await response.json())["result"]
            if path == "embed":
                return Answer.of(embedding=result)
            return Answer.of(embeddings=[face["embedding"] for face in result], boxes=[face["box"] for face in result])

        yield send


@asynccontextmanager
async def predict(url: str, jpegs: Sequence[bytes]) -> AsyncIterator[Send]:
    """Post to the gateway's /predict for smart search, as Immich's server does; `url` is http://host:port."""
    boundary, entries = uuid4().hex, f'{{"clip":{{"visual":{{"modelName":"{GATEWAY_CLIP}"}}}}}}'
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="entries"\r\n\r\n{entries}\r\n--{boundary}\r\n'
    head += 'Content-Disposition: form-data; name="image"; filename="blob"\r\nContent-Type: application/octet-stream\r\n\r\n'
    bodies = itertools.cycle([head.encode() + j + f"\r\n--{boundary}--\r\n".encode() for j in jpegs])
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), raise_for_status=True) as session:

        async def send() -> Answer:
            async with session.post(f"{url}/predict", data=next(bodies), headers=headers) as response:
                return Answer.of(embedding=orjson.loads(orjson.loads(await response.read())["clip"]))

        yield send


CONNECTIONS: Mapping[Task, Connect] = {
    "search_image": partial(triton, ["search_image"]),
    "faces": partial(triton, ["faces"]),
    "photo": partial(triton, ["photo"]),
    "search_image, then faces": partial(triton, ["search_image", "faces"]),
    "plain embed": partial(plain, "embed"),
    "plain faces": partial(plain, "faces"),
    "predict": predict,
}
