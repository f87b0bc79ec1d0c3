"""The people's sheet: faces found on an album become one picture, a row of face crops for each person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

PER_ROW, FACE = 8, 128  # faces of a person that are shown, and their pixels
_GAP, _ROW_GAP, _MARGIN, _TEXT, _HEAD, _FOOT = 14, 28, 36, 190, 78, 24
_AROUND = 1.5  # a crop's side as a multiple of the face's longer side
_NAME = 17  # letters of a file's name that fit below a face
_PAPER, _INK, _QUIET, _LINE = (20, 22, 27), (236, 236, 232), (138, 142, 152), (44, 47, 56)


@dataclass(frozen=True, slots=True)
class FaceOnPhoto:
    """One face: the photo's file and the box (x1, y1, x2, y2) in pixels of the upright photo."""

    path: Path
    box: tuple[float, float, float, float]

    @property
    def side(self) -> float:
        """The face's longer side, in pixels."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])


def people_sheet(people: Sequence[Sequence[FaceOnPhoto]], title: str, subtitle: str = "") -> Image.Image:
    """An RGB picture with one row per person: how often they were met, then up to eight of their faces, the largest first."""
    if not people or not all(people):
        raise ValueError("a sheet of people needs one person or more, each with a face")
    width, height = sheet_size(len(people))
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN - 4), title, _INK, font=ImageFont.load_default(26))
    draw.text((width - _MARGIN, _MARGIN + 6), subtitle, _QUIET, font=ImageFont.load_default(15), anchor="ra")
    for at, faces in enumerate(people):
        _draw_person(sheet, draw, f"Person {at + 1}", faces, _MARGIN + _HEAD + at * (FACE + _FOOT + _ROW_GAP))
    return sheet


def sheet_size(people: int) -> tuple[int, int]:
    """Width and height in pixels of a sheet with that many people."""
    width = 2 * _MARGIN + _TEXT + PER_ROW * (FACE + _GAP) - _GAP
    return width, 2 * _MARGIN + _HEAD + people * (FACE + _FOOT + _ROW_GAP) - _ROW_GAP


def _draw_person(sheet: Image.Image, draw: ImageDraw.ImageDraw, name: str, faces: Sequence[FaceOnPhoto], top: int) -> None:
    draw.line([(_MARGIN, top - _ROW_GAP // 2), (sheet.width - _MARGIN, top - _ROW_GAP // 2)], _LINE)
    draw.text((_MARGIN, top + 34), name, _INK, font=ImageFont.load_default(22))
    photos = len({face.path for face in faces})
    lines = [_counted(photos, "photo") if photos == len(faces) else f"{_counted(len(faces), 'face')} on {_counted(photos, 'photo')}"]
    if len(faces) > PER_ROW:
        lines.append(f"{PER_ROW} of {len(faces)} shown")
    for row, line in enumerate(lines):
        draw.text((_MARGIN, top + 68 + 22 * row), line, _QUIET, font=ImageFont.load_default(15))
    # The largest face shows best who it is.
    for column, face in enumerate(sorted(faces, key=lambda face: -face.side)[:PER_ROW]):
        left = _MARGIN + _TEXT + column * (FACE + _GAP)
        sheet.paste(_crop(face), (left, top), _round())
        draw.text((left + FACE // 2, top + FACE + 6), face.path.stem[:_NAME], _QUIET, font=ImageFont.load_default(13), anchor="ma")


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' * (count != 1)}"


def _crop(face: FaceOnPhoto) -> Image.Image:
    """The face with something around it, moved into the photo where it would stand out."""
    with Image.open(face.path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    side = max(1, min(round(_AROUND * face.side), *upright.size))
    x1, y1, x2, y2 = face.box
    left = min(max(0, round((x1 + x2 - side) / 2)), upright.width - side)
    top = min(max(0, round((y1 + y2 - side) / 2)), upright.height - side)
    return upright.crop((left, top, left + side, top + side)).resize((FACE, FACE), Image.Resampling.LANCZOS)


def _round() -> Image.Image:
    mask = Image.new("L", (FACE * 2, FACE * 2), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, FACE * 2 - 1, FACE * 2 - 1), 16, fill=255)
    return mask.resize((FACE, FACE), Image.Resampling.BOX)
