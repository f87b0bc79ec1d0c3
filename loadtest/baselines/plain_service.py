"""CLIP image embedding as it is usually served: multipart upload -> PIL -> numpy -> onnxruntime in a thread pool -> JSON.

Written as one writes such a service without Triton, and not held back: one session with onnxruntime's default threads (all
cores), everything but HTTP off the event loop, uvloop and httptools where uvicorn finds them. What it lacks is what the
benchmark is about: batching across requests, a smaller JPEG decode, bf16.
"""

import argparse
import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import uvicorn
from fastapi import FastAPI, UploadFile
from PIL import Image

Embed = Callable[[bytes], list[float]]

THREADS = 16
"""Threads that decode and call onnxruntime. With as many as cores each photo costs a third more: onnxruntime's own threads spin idle."""

SIZE = 224
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)


def decode(data: bytes) -> npt.NDArray[np.uint8]:
    """Encoded picture -> uint8 RGB [224,224,3]: full decode, shortest side to 224 by bicubic, centre crop, as torchvision rounds."""
    picture = Image.open(BytesIO(data)).convert("RGB")
    shortest = min(picture.size)
    width, height = SIZE * picture.width // shortest, SIZE * picture.height // shortest
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - SIZE) / 2), round((height - SIZE) / 2)
    return np.asarray(picture.crop((left, top, left + SIZE, top + SIZE)))


def normalise(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """uint8 RGB [S,S,3] -> float32 [1,3,S,S], the input of a legacy CLIP export."""
    scaled = (pixels.astype(np.float32) / 255 - MEAN) / STD
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def embedder(model: Path) -> Embed:
    """Open a legacy visual tower (`image` f32[1,3,224,224] -> `embedding` f32[1,D]) once, for all threads."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def embed(data: bytes) -> list[float]:
        (embedding,) = session.run(["embedding"], {"image": normalise(decode(data))})
        numbers: list[float] = embedding[0].tolist()
        return numbers

    return embed


def create_app(embed: Embed, threads: int) -> FastAPI:
    """POST /embed, a multipart file `image` -> {"embedding": [...]}; GET /health."""
    app = FastAPI()
    pool = ThreadPoolExecutor(threads)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/embed")
    async def embed_image(image: UploadFile) -> dict[str, list[float]]:
        data = await image.read()
        return {"embedding": await asyncio.get_running_loop().run_in_executor(pool, embed, data)}

    return app


def main() -> None:
    """Serve until a signal comes."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", type=Path, required=True)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--threads", type=int, default=THREADS)
    options = arguments.parse_args()
    app = create_app(embedder(options.model), options.threads)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
