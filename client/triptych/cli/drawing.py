"""Faces drawn on their photo: numbered boxes, landmarks and scores, as thick as photo and face allow."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from triptych.cli.console import CommandError
from triptych.face import Face
from triptych.upright import upright

LINE, EDGE, POINT, INK = (57, 255, 136), (16, 24, 20), (255, 214, 10), (8, 40, 22)
QUALITY = 92


def opened(photo: Path) -> Image.Image:
    """A photo's pixels, upright, RGB; what is transparent becomes white. Raises CommandError."""
    try:
        with Image.open(photo) as file:
            image = upright(file)
            if image.mode.startswith("I;16"):  # convert() would cut off at 255
                return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
            if not image.has_transparency_data:
                return image.convert("RGB")
            layers = image.convert("RGBA")
            return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CommandError(f"it cannot be drawn on: {error}") from None


def draw(image: Image.Image, faces: Iterable[Face]) -> None:
    """Draw on an RGB picture that has the size of the upright photo; a face's number counts from 1."""
    pen = ImageDraw.Draw(image)
    numbered = list(enumerate(faces, 1))
    for _, face in numbered:
        _frame(pen, face, _line(image, face))
    for number, face in numbered:  # over all frames, so that they stay readable in a group
        _label(pen, face, f"{number}  {face.score:.2f}", image)


def save(image: Image.Image, file: Path) -> None:
    """Write a JPEG; folders are made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file, "JPEG", quality=QUALITY)


def _line(image: Image.Image, face: Face) -> int:
    """Width of a frame in pixels: 1/350 of the photo, less for faces that it would cover."""
    return max(1, round(min(max(image.size) / 350, min(face.width, face.height) / 24)))


def _frame(pen: ImageDraw.ImageDraw, face: Face, line: int) -> None:
    x1, y1, x2, y2 = map(round, face.box)
    x2, y2 = max(x1, x2), max(y1, y2)
    edge = max(1, line // 2)
    pen.rectangle((x1 - edge, y1 - edge, x2 + edge, y2 + edge), outline=EDGE, width=line + 2 * edge)
    pen.rectangle((x1, y1, x2, y2), outline=LINE, width=line)
    for x, y in face.landmarks.tolist():
        pen.circle((x, y), line + edge, fill=EDGE)
        pen.circle((x, y), line, fill=POINT)


def _label(pen: ImageDraw.ImageDraw, face: Face, text: str, image: Image.Image) -> None:
    """Above the box; below its upper edge where the photo ends. It never leaves the photo."""
    line = _line(image, face)
    font = ImageFont.load_default(max(12, min(max(image.size) / 50, face.height / 4)))
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    pad = max(2, round((bottom - top) / 4))
    width, height = right - left + 2 * pad, bottom - top + 2 * pad
    x = min(max(face.box[0] - line / 2, 0), max(0, image.width - width))
    above = face.box[1] - height - line / 2
    y = min(max(above if above >= 0 else face.box[1], 0), max(0, image.height - height))
    pen.rectangle((round(x), round(y), round(x + width), round(y + height)), fill=LINE)
    pen.text((round(x + pad - left), round(y + pad - top)), text, font=font, fill=INK)
