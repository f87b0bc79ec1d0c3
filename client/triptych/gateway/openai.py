"""/v1/embeddings and /v1/models, as OpenAI's client package speaks them: texts and pictures into the served CLIP's space."""

import asyncio
import base64
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from triptych.errors import InvalidInput
from triptych.gateway.answer import json_response
from triptych.gateway.body import chunks, until_gone
from triptych.gateway.fleet import Fleet, Models
from triptych.gateway.names import same_model
from triptych.gateway.openai_input import EmbeddingsRequest
from triptych.gateway.picture import header_of
from triptych.gateway.refusals import NoSuchModel
from triptych.gateway.settings import GatewaySettings
from triptych.results import Embedding

UNNAMED = "unnamed"
"""The id of a served CLIP that was imported without a name."""
_PICTURES_AT_ONCE = 4  # of one request: others want their turn, and Triton's queue is bounded


async def models(request: Request) -> Response:
    """The CLIPs that are served."""
    return json_response({"object": "list", "data": [_told(name) for name in _names(request)]})


async def model(request: Request) -> Response:
    """One of them, in whatever spelling."""
    asked: str = request.path_params["model"]
    for name in _names(request):
        if same_model(asked, name):
            return json_response(_told(name))
    raise NoSuchModel(f"no model {asked[:200]!r} is served; /v1/models lists those that are")


def _names(request: Request) -> Iterable[str]:
    fleet: Fleet = request.app.state.fleet
    return dict.fromkeys(backend.served.clip or UNNAMED for backend in fleet.ready if backend.served and backend.served.clip is not None)


def _told(name: str) -> dict[str, Any]:
    owner, _, short = name.rpartition("/")
    return {"id": short, "object": "model", "created": 0, "owned_by": owner or "triptych"}


async def embeddings(request: Request) -> Response:
    """One embedding for each input, in their order."""
    settings: GatewaySettings = request.app.state.settings
    body = b"".join([chunk async for chunk in chunks(request.headers, request.receive, settings.max_upload, settings.timeout)])
    asked = EmbeddingsRequest.parse(body)
    rows = await until_gone(request.receive, _embedded(asked, request.app.state.fleet, settings.max_pixels, request.scope["request_id"]))
    data = [{"object": "embedding", "index": index, "embedding": _written(row, asked.base64)} for index, row in enumerate(rows)]
    usage = {"prompt_tokens": 0, "total_tokens": 0}  # nobody counts here
    return json_response({"object": "list", "data": data, "model": asked.model, "usage": usage})


async def _embedded(asked: EmbeddingsRequest, fleet: Fleet, max_pixels: int, request_id: str) -> Sequence[Embedding]:
    models = Models(clip=asked.model)
    dims = fleet.dims(models)
    if dims and asked.dimensions is not None and asked.dimensions not in dims:
        raise InvalidInput(f"dimensions is {asked.dimensions}; the served model gives {min(dims)} and cannot be cut")
    texts = [item for item in asked.inputs if isinstance(item, str)]
    slots = asyncio.Semaphore(_PICTURES_AT_ONCE)

    async def picture(index: int, image: bytes) -> Embedding:
        async with slots:
            try:
                await header_of(image, max_pixels)
                return await fleet.ask(models, lambda client: client.embed_image(image, request_id=request_id))
            except InvalidInput as error:
                raise InvalidInput(f"input {index}: {error}") from None

    pictures = [asyncio.create_task(picture(index, item)) for index, item in enumerate(asked.inputs) if isinstance(item, bytes)]
    try:
        of_texts = iter(
            await fleet.ask(models, lambda client: client.embed_text(texts, language=asked.language, request_id=request_id))
            if texts
            else ()
        )
        of_pictures = iter(await asyncio.gather(*pictures))
    finally:
        for task in pictures:
            task.cancel()
    return [next(of_texts if isinstance(item, str) else of_pictures) for item in asked.inputs]


def _written(row: Embedding, as_base64: bool) -> Any:
    values = np.ascontiguousarray(row, "<f4")
    return base64.b64encode(values.tobytes()).decode() if as_base64 else values
