"""Photos of every size: the same each time, and all can be read."""

from io import BytesIO

import pytest
from PIL import Image

from loadtest import odd_photos
from loadtest.odd_photos import EXTREMES


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(odd_photos, "LARGEST_PIXELS", 1_000_000)


def test_extremes_come_first_and_sizes_spread():
    sizes = [Image.open(BytesIO(photo)).size for photo in odd_photos.odd_photos(20)]
    assert tuple(sizes[: len(EXTREMES)]) == EXTREMES
    pixels = [width * height for width, height in sizes[len(EXTREMES) :]]
    assert min(pixels) < 1000 < max(pixels) <= 1_100_000


def test_they_are_the_same_each_time():
    assert list(odd_photos.odd_photos(6)) == list(odd_photos.odd_photos(6))
