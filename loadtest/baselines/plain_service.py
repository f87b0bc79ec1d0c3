"""Search and faces as they are usually served: multipart upload -> PIL, numpy and onnxruntime in a thread pool -> JSON.

Written as one writes such a service without Triton, and not held back: one session for each network with onnxruntime's default threads
(all cores), everything but HTTP off the event loop, uvloop and httptools where uvicorn finds them. What it lacks is what the
benchmark is about: batching across requests, a smaller JPEG decode, bf16.
"""

import argparse
import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, UploadFile

from loadtest.baselines.plain_faces import face_finder
from loadtest.baselines.plain_search import embedder

THREADS = 16
"""Threads that decode and call onnxruntime. With as many as cores each photo costs a third more: onnxruntime's own threads spin idle."""


def create_app(tasks: Mapping[str, Callable[[bytes], Any]], threads: int) -> FastAPI:
    """POST /<task>, a multipart file `image` -> {"result": what the task makes of it}; GET /health."""
    app = FastAPI()
    pool = ThreadPoolExecutor(threads)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/{task}")
    async def answer(task: str, image: UploadFile) -> dict[str, Any]:
        if task not in tasks:
            raise HTTPException(404, f"no task {task!r}; there are {', '.join(tasks)}")
        data = await image.read()
        return {"result": await asyncio.get_running_loop().run_in_executor(pool, tasks[task], data)}

    return app


def main() -> None:
    """Serve until a signal comes."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--embed", type=Path, help="a legacy visual tower of a CLIP")
    arguments.add_argument("--faces", type=Path, help="a folder with detection/ and recognition/model.onnx")
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--threads", type=int, default=THREADS)
    options = arguments.parse_args()
    tasks: dict[str, Callable[[bytes], Any]] = {}
    if options.embed:
        tasks["embed"] = embedder(options.embed)
    if options.faces:
        tasks["faces"] = face_finder(options.faces)
    uvicorn.run(create_app(tasks, options.threads), host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
