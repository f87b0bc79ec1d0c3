"""What one Triton answers: the configs of its ensembles -> models by their names; and the first request of each kind."""

import asyncio
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from triptych.async_client import AsyncClient
from triptych.errors import NotFound

ENSEMBLES = ("search_image", "search_text", "faces", "photo")
WARM_UP_SECONDS = 120.0
"""For a first request: some runtimes compile then."""


@dataclass(frozen=True, slots=True)
class Served:
    """`clip` and `faces`: the models' names; "" where they were imported without one, None where that task is not served.

    `photo`: whether both can be had from one decoding. `dim`: length of a CLIP embedding.
    """

    clip: str | None = None
    faces: str | None = None
    photo: bool = False
    dim: int = 0

    def name(self, task: str) -> str | None:
        """Of `clip` or `faces`."""
        return self.clip if task == "clip" else self.faces


async def look(client: AsyncClient, timeout: float, names: Mapping[str, str]) -> Served:
    """Ask a server what it serves; `names` stand in where a model has none of its own. Raises TriptychError."""
    configs = await asyncio.gather(*(_config(client, ensemble, timeout) for ensemble in ENSEMBLES))
    image, text, faces, photo = configs
    clip = _parameter(image, "clip_model") or names.get("clip", "") if image and text else None
    pack = _parameter(faces, "face_model") or names.get("faces", "") if faces else None
    return Served(clip, pack, photo is not None, _dim(image) if image else 0)


async def warm(client: AsyncClient, served: Served) -> None:
    """Send a request of each kind that is served, so that no user's is the first."""
    picture = _small_picture()
    if served.clip is not None:
        await client.embed_text("warm", timeout=WARM_UP_SECONDS)
        await client.embed_image(picture, timeout=WARM_UP_SECONDS)
    if served.faces is not None:
        await client.faces(picture, timeout=WARM_UP_SECONDS)
    if served.photo:
        await client.analyze(picture, timeout=WARM_UP_SECONDS)


async def _config(client: AsyncClient, ensemble: str, timeout: float) -> Mapping[str, Any] | None:
    try:
        return await client.model_config(ensemble, timeout=timeout)
    except NotFound:
        return None


def _parameter(config: Mapping[str, Any], key: str) -> str:
    return str(config.get("parameters", {}).get(key, {}).get("string_value", ""))


def _dim(config: Mapping[str, Any]) -> int:
    return next((int(output["dims"][0]) for output in config.get("output", ()) if output["name"] == "embedding"), 0)


def _small_picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 150)).save(buffer, "JPEG")
    return buffer.getvalue()
