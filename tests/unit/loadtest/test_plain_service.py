"""The baseline is no straw man: it decodes as torchvision does, and client and service speak with each other over real HTTP."""

import asyncio
import contextlib
import socket
import threading
from io import BytesIO

import numpy as np
import pytest
import uvicorn
from PIL import Image

from loadtest.baselines.plain_search import decode, embedder, normalise
from loadtest.baselines.plain_service import create_app
from loadtest.connections import CONNECTIONS
from loadtest.random_clip import tiny_shape
from loadtest.vit import visual_tower


def jpeg(width, height, left=(255, 0, 0), right=(0, 0, 255)):
    picture = Image.new("RGB", (width, height), left)
    picture.paste(right, (width // 2, 0, width, height))
    out = BytesIO()
    picture.save(out, "JPEG", quality=95)
    return out.getvalue()


@contextlib.contextmanager
def serving(app):
    """The app on a free port, by the uvicorn that the baseline runs on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # so that a client that is faster than uvicorn waits
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(10)


def ask(embed, photos, times):
    async def run(url):
        async with CONNECTIONS["plain embed"](url, photos) as send:
            return [(await send()).embeddings[0] for _ in range(times)]

    with serving(create_app({"embed": embed}, threads=2)) as url:
        return asyncio.run(run(url))


def test_the_shortest_side_is_kept_and_the_centre_is_cut_out():
    pixels = decode(jpeg(1440, 720))
    assert (pixels.shape, pixels.dtype) == ((224, 224, 3), np.uint8)
    assert pixels[:, :100, 0].min() > 240 and pixels[:, 124:, 2].min() > 240  # the border stays in the middle


def test_sizes_are_rounded_as_torchvision_rounds_them():
    picture = Image.effect_noise((1437, 963), 60).convert("RGB")
    out = BytesIO()
    picture.save(out, "PNG")
    resized = picture.resize((224 * 1437 // 963, 224), Image.Resampling.BICUBIC)  # 334.3 -> 334, not 335
    left = round((resized.width - 224) / 2)
    assert np.array_equal(decode(out.getvalue()), np.asarray(resized)[:, left : left + 224])


def test_pixels_are_normalised_as_clip_wants_them():
    grey = normalise(np.full((224, 224, 3), 128, np.uint8))
    assert (grey.shape, grey.dtype, grey.flags.c_contiguous) == ((1, 3, 224, 224), np.float32, True)
    assert grey[0, :, 0, 0] == pytest.approx([0.07633, 0.16890, 0.33995], abs=1e-4)  # (128/255 - mean) / std, by hand


def test_the_client_gets_for_each_photo_in_turn_what_the_service_computes_for_it():
    photos = [jpeg(300, 300), jpeg(300, 200)]
    seen = []

    def embed(data):
        seen.append(data)
        return [1.0, 0.0] if data == photos[0] else [0.0, 1.0]

    first, second, third = ask(embed, photos, times=3)
    assert seen == [photos[0], photos[1], photos[0]]
    assert (first == third).all() and (first != second).all()


def test_an_answer_that_is_no_embedding_is_not_counted():
    with pytest.raises(ValueError, match=r"length 5\.0000 came back"):
        ask(lambda _: [3.0, 4.0], [jpeg(10, 10)], times=1)


def test_a_failure_of_the_service_reaches_the_client():
    def broken(_):
        raise RuntimeError("no")

    with pytest.raises(Exception, match="500"):
        ask(broken, [jpeg(10, 10)], times=1)


def test_the_embedder_runs_a_legacy_tower(tmp_path):
    (tmp_path / "model.onnx").write_bytes(visual_tower(tiny_shape(), seed=1).SerializeToString())
    embed = embedder(tmp_path / "model.onnx")
    one, other = embed(jpeg(300, 200)), embed(jpeg(300, 200, left=(0, 255, 0)))
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    assert one == embed(jpeg(300, 200))
    assert np.abs(np.subtract(one, other)).max() > 1e-3
