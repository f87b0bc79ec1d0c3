"""A contact sheet: rows of photos (or faces cut out of them) with a label for each row and a line below each picture."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from triptych.cli.console import CommandError
from triptych.errors import InvalidInput

PER_LINE = 6
_THUMB, _GAP, _MARGIN, _HEAD, _FOOT, _LABEL, _MOST = (220, 165), 14, 32, 64, 26, 34, 300
_PAPER, _INK, _QUIET, _EMPTY = (20, 22, 27), (236, 236, 232), (150, 154, 164), (40, 43, 51)
_AROUND = 1.6  # side of a cut face as a multiple of its box

Box = tuple[float, float, float, float]
Cell = tuple[Path, str] | tuple[Path, str, Box]


def contact_sheet(title: str, rows: Sequence[tuple[str, Sequence[Cell]]]) -> Image.Image:
    """An RGB picture; a row has as many lines as its pictures need. Raises CommandError for more than 300 pictures."""
    count = sum(len(cells) for _, cells in rows)
    if count > _MOST:
        raise CommandError(f"a sheet shows at most {_MOST} pictures, and these are {count}; ask for fewer with --limit")
    line = _THUMB[1] + _FOOT + _GAP
    heights = [(_LABEL if label else 0) + line * -(-len(cells) // PER_LINE) for label, cells in rows]
    width = 2 * _MARGIN + PER_LINE * (_THUMB[0] + _GAP) - _GAP
    sheet = Image.new("RGB", (width, 2 * _MARGIN + _HEAD + sum(heights)), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, _MARGIN), title, _INK, font=ImageFont.load_default(24))
    top = _MARGIN + _HEAD
    for (label, cells), height in zip(rows, heights, strict=True):
        if label:
            pen.text((_MARGIN, top), label, _INK, font=ImageFont.load_default(18))
        for place, cell in enumerate(cells):
            left = _MARGIN + place % PER_LINE * (_THUMB[0] + _GAP)
            upper = top + (_LABEL if label else 0) + place // PER_LINE * line
            sheet.paste(_thumbnail(*cell), (left, upper))
            pen.text((left, upper + _THUMB[1] + 5), cell[1], _QUIET, font=ImageFont.load_default(14))
        top += height
    return sheet


def save(sheet: Image.Image, file: Path) -> None:
    """Write the sheet in the format that the file's name ends in; folders are made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        sheet.save(file, quality=90)
    except ValueError:
        raise CommandError(f"--sheet {file}: end the name in .jpg or .png") from None


def _thumbnail(path: Path, _: str, box: Box | None = None) -> Image.Image:
    from triptych.library.picture import opened

    try:
        image = opened(path)
    except InvalidInput:  # it went since it was indexed
        return Image.new("RGB", _THUMB, _EMPTY)
    if box is None:
        return ImageOps.fit(image, _THUMB, Image.Resampling.LANCZOS)
    x1, y1, x2, y2 = box
    half = max(x2 - x1, y2 - y1) * _AROUND / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    wide = half * _THUMB[0] / _THUMB[1]
    return image.crop((round(x - wide), round(y - half), round(x + wide), round(y + half))).resize(_THUMB, Image.Resampling.LANCZOS)
