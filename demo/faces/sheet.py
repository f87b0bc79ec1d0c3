"""The people's sheet: faces found on an album become one picture, a row of face crops for each person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

PER_ROW = 9
_FACE, _GAP, _ROW_GAP, _MARGIN, _TEXT, _HEAD, _FOOT = 112, 12, 26, 36, 150, 74, 22
_AROUND = 1.5  # a crop's side as a multiple of the face's longer side
_PAPER, _INK, _QUIET, _LINE = (20, 22, 27), (236, 236, 232), (138, 142, 152), (44, 47, 56)


@dataclass(frozen=True, slots=True)
class FaceOnPhoto:
    """One face: the photo's file and the box (x1, y1, x2, y2) in pixels of the upright photo."""

    path: Path
    box: tuple[float, float, float, float]


def people_sheet(people: Sequence[Sequence[FaceOnPhoto]], title: str, subtitle: str = "") -> Image.Image:
    """An RGB picture with one row per person: how often they were met, then up to nine of their faces."""
    if not people or not all(people):
        raise ValueError("a sheet of people needs one person or more, each with a face")
    width, height = sheet_size(len(people))
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN - 4), title, _INK, font=ImageFont.load_default(26))
    draw.text((width - _MARGIN, _MARGIN + 6), subtitle, _QUIET, font=ImageFont.load_default(15), anchor="ra")
    for at, faces in enumerate(people):
        top = _MARGIN + _HEAD + at * (_FACE + _FOOT + _ROW_GAP)
        draw.line([(_MARGIN, top - _ROW_GAP // 2), (width - _MARGIN, top - _ROW_GAP // 2)], _LINE)
        draw.text((_MARGIN, top + 34), f"Person {at + 1}", _INK, font=ImageFont.load_default(20))
        draw.text((_MARGIN, top + 64), f"{len(faces)} face{'s' * (len(faces) > 1)}", _QUIET, font=ImageFont.load_default(15))
        for column, face in enumerate(faces[:PER_ROW]):
            left = _MARGIN + _TEXT + column * (_FACE + _GAP)
            sheet.paste(_crop(face), (left, top), _round())
            draw.text((left + _FACE // 2, top + _FACE + 5), face.path.stem[:16], _QUIET, font=ImageFont.load_default(12), anchor="ma")
    return sheet


def sheet_size(people: int) -> tuple[int, int]:
    """Width and height in pixels of a sheet with that many people."""
    width = 2 * _MARGIN + _TEXT + PER_ROW * (_FACE + _GAP) - _GAP
    return width, 2 * _MARGIN + _HEAD + people * (_FACE + _FOOT + _ROW_GAP) - _ROW_GAP


def _crop(face: FaceOnPhoto) -> Image.Image:
    x1, y1, x2, y2 = face.box
    half = _AROUND * max(x2 - x1, y2 - y1) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    with Image.open(face.path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    around = (round(x - half), round(y - half), round(x + half), round(y + half))
    return upright.crop(around).resize((_FACE, _FACE), Image.Resampling.LANCZOS)


def _round() -> Image.Image:
    mask = Image.new("L", (_FACE * 2, _FACE * 2), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, _FACE * 2 - 1, _FACE * 2 - 1), 16, fill=255)
    return mask.resize((_FACE, _FACE), Image.Resampling.BOX)
