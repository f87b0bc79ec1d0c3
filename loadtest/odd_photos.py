"""Photos of every size that people have: seeded, from one pixel to 50 megapixels, in the usual formats -> encoded bytes."""

from collections.abc import Iterator
from io import BytesIO

import numpy as np
from PIL import Image

from triptych_server.benchmark.photos import drawn_picture

LARGEST_PIXELS = 50_000_000
LONGEST_SIDE = 16_000
EXTREMES = ((1, 1), (1, 4000), (6000, 2), (8000, 6250))


def odd_photos(count: int, seed: int = 0) -> Iterator[bytes]:
    """The extremes, then sizes whose logarithms are even between them, with sides of 1:1 to 1:3."""
    random = np.random.default_rng(seed)
    picture = drawn_picture(seed)
    for number in range(count):
        size = EXTREMES[number] if number < len(EXTREMES) else _size(random)
        kind = "JPEG" if max(size) > 3000 else str(random.choice(["JPEG", "JPEG", "PNG", "WEBP"]))
        left, top = (int(random.integers(side // 2)) for side in picture.size)
        yield _encoded(picture.crop((left, top, left + picture.width // 2, top + picture.height // 2)).resize(size), kind)


def _size(random: np.random.Generator) -> tuple[int, int]:
    pixels = float(np.exp(random.uniform(0, np.log(LARGEST_PIXELS))))
    ratio = float(np.exp(random.uniform(-np.log(3), np.log(3))))
    width, height = (max(1, min(LONGEST_SIDE, round(side))) for side in ((pixels * ratio) ** 0.5, (pixels / ratio) ** 0.5))
    return width, height


def _encoded(picture: Image.Image, kind: str) -> bytes:
    out = BytesIO()
    picture.save(out, kind, quality=80)
    return out.getvalue()
