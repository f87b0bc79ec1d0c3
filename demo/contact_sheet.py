"""The contact sheet: queries with their ranked hits become one picture, a row of thumbnails for each query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PER_ROW = 5
_THUMB = (208, 156)
_MARGIN, _GAP, _ROW_GAP, _TEXT = 36, 14, 30, 230
_HEAD, _SCORE = 84, 24
_RADIUS = 8
_SCALE = 2  # corners are drawn at twice the size, so that they are smooth
_PAPER, _INK, _QUIET, _LINE, _ACCENT = (20, 22, 27), (236, 236, 232), (138, 142, 152), (44, 47, 56), (240, 178, 92)


@dataclass(frozen=True, slots=True)
class Hit:
    """One picture found, and its cosine similarity to the query."""

    path: Path
    score: float


@dataclass(frozen=True, slots=True)
class Row:
    """A query and its hits, best first."""

    query: str
    hits: tuple[Hit, ...]


def contact_sheet(rows: Sequence[Row], title: str, subtitle: str = "") -> Image.Image:
    """An RGB picture with one row per query: its text, then up to five thumbnails with their scores."""
    if not rows:
        raise ValueError("a contact sheet needs one query or more")
    width, height = sheet_size(len(rows))
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN - 2), title, _INK, font=_font(26))
    if subtitle:
        draw.text((width - _MARGIN, _MARGIN + 8), subtitle, _QUIET, font=_font(15), anchor="ra")
    corners = _rounded()
    for at, row in enumerate(rows):
        _draw_row(sheet, draw, row, _MARGIN + _HEAD + at * (_THUMB[1] + _SCORE + _ROW_GAP), corners)
    return sheet


def sheet_size(rows: int) -> tuple[int, int]:
    """Width and height in pixels of a sheet with that many queries."""
    width = 2 * _MARGIN + _TEXT + PER_ROW * (_THUMB[0] + _GAP) - _GAP
    return width, 2 * _MARGIN + _HEAD + rows * (_THUMB[1] + _SCORE + _ROW_GAP) - _ROW_GAP


def _draw_row(sheet: Image.Image, draw: ImageDraw.ImageDraw, row: Row, top: int, corners: Image.Image) -> None:
    draw.line([(_MARGIN, top - _ROW_GAP // 2), (sheet.width - _MARGIN, top - _ROW_GAP // 2)], _LINE)
    font = _font(20)
    lines = _wrapped(row.query, font, draw, _TEXT - 24)
    for i, line in enumerate(lines[:5]):
        draw.text((_MARGIN, top + 4 + i * 27), line, _INK, font=font)
    for i, hit in enumerate(row.hits[:PER_ROW]):
        left = _MARGIN + _TEXT + i * (_THUMB[0] + _GAP)
        sheet.paste(_thumbnail(hit.path), (left, top), corners)
        foot = top + _THUMB[1] + 7
        draw.text((left + 2, foot), f"{hit.score:.3f}", _ACCENT if i == 0 else _QUIET, font=_font(14))
        draw.text((left + _THUMB[0] - 2, foot), _shortened(hit.path.name), _QUIET, font=_font(14), anchor="ra")


def _thumbnail(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.draft("RGB", (_THUMB[0] * 2, _THUMB[1] * 2))
        upright = ImageOps.exif_transpose(image).convert("RGB")
    return ImageOps.fit(upright, _THUMB, Image.Resampling.LANCZOS)


def _rounded() -> Image.Image:
    mask = Image.new("L", (_THUMB[0] * _SCALE, _THUMB[1] * _SCALE), 0)
    box = (0, 0, mask.width - 1, mask.height - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, _RADIUS * _SCALE, fill=255)
    return mask.resize(_THUMB, Image.Resampling.BOX)


def _wrapped(text: str, font: Font, draw: ImageDraw.ImageDraw, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and draw.textlength(longer, font=font) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _shortened(name: str, most: int = 18) -> str:
    return name if len(name) <= most else f"{name[: most - 9]}…{name[-8:]}"


def _font(size: int) -> Font:
    return ImageFont.load_default(size)
