"""What tests of a change of models share: two CLIPs that differ in every shape, a photo with faces, and what a server has loaded."""

from dataclasses import replace
from pathlib import Path

import tritonclient.grpc as triton_grpc
from PIL import Image

from demo.people import draw_group, sample_group
from loadtest.random_clip import random_clip, tiny_shape
from triptych_server.engine import Engine

SMALL, LARGE = tiny_shape(), replace(tiny_shape(), image_size=256, embed_dim=384, context_length=64)


def two_clips(folder: Path) -> dict[str, Path]:
    """`small` and `large`, in a hub's layout."""
    return {"small": random_clip(folder, SMALL, seed=1), "large": random_clip(folder, LARGE, seed=2)}


def drawn_pair() -> Image.Image:
    """A drawn photo of two people."""
    group = sample_group(3, range(40), (480, 360), count=2, least=0.2, kind="swap")
    return draw_group(group, (480, 360))[0]


def grpc_of(engine: Engine) -> triton_grpc.InferenceServerClient:
    return triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://"))


def states(engine: Engine) -> dict[str, str | None]:
    """What Triton says of every model, by name."""
    listed = grpc_of(engine).get_model_repository_index(headers=engine.control_headers, as_json=True)
    return {model["name"]: model.get("state") for model in listed["models"]}
