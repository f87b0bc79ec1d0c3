"""Small drawn pictures, and pictures encoded in every format: the raw material of image tests; all deterministic."""

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

ENCODINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("JPEG", {"quality": 90}),
    "progressive": ("JPEG", {"quality": 85, "progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"quality": 90}),
    "webp_lossless": ("WEBP", {"lossless": True}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "tiff_lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff_deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
}


def picture(width: int = 96, height: int = 64, mode: str = "RGB") -> Image.Image:
    """A smooth, asymmetric picture with some texture: no mirror image or turn of it equals it."""
    y, x = np.mgrid[0:height, 0:width]
    red = 255 * x / max(width - 1, 1)
    green = 255 * y / max(height - 1, 1)
    blue = 127 + 100 * np.sin(x / 5 + y / 9)
    return Image.fromarray(np.stack([red, green, blue], axis=-1).astype(np.uint8)).convert(mode)


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    """`image` as a file of one of the `ENCODINGS`."""
    name, defaults = ENCODINGS[kind]
    stream = BytesIO()
    image.save(stream, name, **(defaults | options))
    return stream.getvalue()
