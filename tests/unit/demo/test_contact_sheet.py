"""The contact sheet: its size, what is on it, and odd input."""

import numpy as np
import pytest
from PIL import Image

from demo.contact_sheet import PER_ROW, Hit, Row, contact_sheet, sheet_size


@pytest.fixture
def photos(tmp_path):
    paths = []
    for i, colour in enumerate([(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (250, 0, 250), (0, 250, 250)]):
        paths.append(tmp_path / f"{i}.png")
        Image.new("RGB", (300 + 40 * i, 200), colour).save(paths[-1])
    return paths


def share(sheet, colour):
    return (np.abs(np.asarray(sheet, dtype=int) - colour).sum(axis=2) < 12).mean()


def test_a_sheet_has_the_size_announced_and_every_hit_of_a_row(photos):
    rows = [Row("first", tuple(Hit(p, 0.9) for p in photos[:5])), Row("second", (Hit(photos[5], 0.5),))]
    sheet = contact_sheet(rows, "Title", "subtitle")
    assert sheet.size == sheet_size(2)
    for colour in [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (250, 0, 250), (0, 250, 250)]:
        assert 0.02 < share(sheet, colour) < 0.06


def test_no_more_than_a_row_holds_is_shown(photos):
    sheet = contact_sheet([Row("query", tuple(Hit(p, 0.9) for p in photos))], "Title")
    assert PER_ROW == 5
    assert share(sheet, (0, 250, 250)) == 0


def test_query_and_score_are_written_on_it(photos):
    def drawn(query, score):
        return np.asarray(contact_sheet([Row(query, (Hit(photos[0], score),))], "Title"), dtype=int)

    plain = drawn("a cat", 0.5)
    for other in (drawn("a dog", 0.5), drawn("a cat", 0.6), drawn("a cat " * 40, 0.5)):
        assert other.shape == plain.shape
        assert np.abs(other - plain).sum() > 0


def test_pictures_are_shown_upright(tmp_path):
    image = Image.new("RGB", (200, 150), (250, 0, 0))
    image.paste((0, 0, 250), (0, 75, 200, 150))
    exif = Image.Exif()
    exif[0x0112] = 3
    image.save(tmp_path / "turned.png", exif=exif)
    sheet = np.asarray(contact_sheet([Row("query", (Hit(tmp_path / "turned.png", 0.5),))], "Title"), dtype=int)
    rows = {
        name: np.argwhere(np.abs(sheet - colour).sum(axis=2) < 12)[:, 0].mean()
        for name, colour in {"red": (250, 0, 0), "blue": (0, 0, 250)}.items()
    }
    assert rows["blue"] < rows["red"]


def test_no_query_is_an_error():
    with pytest.raises(ValueError, match="one query or more"):
        contact_sheet([], "Title")
