"""JPEG bytes -> pixels at 1/8 to 4/8 of the size, straight from the DCT: cheaper than decoding in full and resizing; or all of them."""

import simplejpeg
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

# 5 to 7 have no SIMD path in libjpeg-turbo and cost more than 8, at which the pixels are Pillow's, in 0.8 of its time.
_EIGHTHS = (1, 2, 3, 4, 8)
_COLORSPACE = {"RGB": "RGB", "L": "GRAY"}


def decode_reduced(image: JpegImageFile, data: bytes, min_side: int) -> tuple[Image.Image, float]:
    """Decode at the smallest scale whose shorter side keeps `min_side` pixels; returns the pixels and the scale (1.0: full size).

    `image` is the same file with its header read. Raises what Pillow raises for a broken file.
    """
    shorter = min(image.size)
    eighths = next((k for k in _EIGHTHS if shorter * k >= min_side * 8), 8)
    if pixels := _decode_eighths(image, data, eighths):
        return pixels, eighths / 8
    # Pillow has the last word on CMYK and on files that libjpeg warns about: it takes harmless faults and refuses truncation.
    full_width = image.size[0]
    drafted = image.draft(image.mode, (min(min_side, shorter),) * 2)
    image.load()
    return image, drafted[1][2] / full_width if drafted else 1.0


def _decode_eighths(image: JpegImageFile, data: bytes, eighths: int) -> Image.Image | None:
    """Decode at eighths/8, None where simplejpeg cannot or finds the least fault."""
    colorspace = _COLORSPACE.get(image.mode)
    if colorspace is None:
        return None
    width, height = (-(-side * eighths // 8) for side in image.size)
    try:
        if simplejpeg.decode_jpeg_header(data)[:2] != image.size[::-1]:
            return None
        array = simplejpeg.decode_jpeg(data, colorspace=colorspace, min_width=width, min_height=height)
    except ValueError:
        return None
    if array.shape[:2] != (height, width):
        return None
    return Image.frombuffer(image.mode, (width, height), array, "raw", image.mode, 0, 1)
