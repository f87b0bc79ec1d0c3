"""Faces drawn on photos: seen, where they belong, and never the cause of a failure."""

import numpy as np
import pytest
from PIL import Image

from triptych import Face, TriptychError
from triptych.cli import drawing

GREY = (120, 120, 120)


def face(*box: float, score: float = 0.93) -> Face:
    x1, y1, x2, y2 = box
    x, y = np.array([0.3, 0.7, 0.5, 0.35, 0.65]), np.array([0.4, 0.4, 0.6, 0.8, 0.8])
    return Face(box, np.stack([x1 + x * (x2 - x1), y1 + y * (y2 - y1)], axis=1), score, np.zeros(4))


def drawn(size: tuple[int, int], *faces: Face) -> np.ndarray:
    """Which pixels were drawn on: bool [H,W]."""
    return (colours(size, *faces) != GREY).any(axis=-1)


def colours(size: tuple[int, int], *faces: Face) -> np.ndarray:
    image = Image.new("RGB", size, GREY)
    drawing.draw(image, faces)
    assert image.size == size
    return np.asarray(image)


def test_box_landmarks_and_label_are_where_they_belong():
    one = face(200, 150, 300, 290)
    pixels = colours((640, 480), one)
    for x, y in ((200, 220), (299, 220), (250, 150), (250, 289)):
        assert (pixels[y - 2 : y + 3, x - 2 : x + 3] == drawing.LINE).all(axis=-1).any()
    for x, y in one.landmarks.round().astype(int):
        assert tuple(pixels[y, x]) == drawing.POINT
    marked = drawn((640, 480), one)
    assert (pixels[120:147, 200:300] == drawing.LINE).all(axis=-1).sum() > 200  # the label's background, above the box
    assert marked[160:185, 215:285].sum() == 0  # the forehead is left alone
    marked[110:300, 190:340] = False
    assert not marked.any()


def test_without_faces_nothing_is_drawn():
    assert not drawn((64, 48)).any()


def test_lines_grow_with_the_photo_but_do_not_cover_a_small_face():
    def thickness(size, box):
        row = (colours(size, face(*box))[(round(box[1]) + round(box[3])) // 2] == drawing.LINE).all(axis=-1)
        return int(row[: round(box[0] + box[2]) // 2].sum())

    assert thickness((400, 300), (100, 100, 200, 200)) == 1
    assert thickness((4000, 3000), (1000, 1000, 2000, 2000)) == 11
    assert thickness((4000, 3000), (1000, 1000, 1024, 1024)) <= 2
    small = drawn((4000, 3000), face(1000, 1000, 1024, 1024))[1000:1024, 1000:1024]
    assert small.mean() < 0.5


@pytest.mark.parametrize(
    "box",
    [(0, 0, 640, 480), (-40, -30, 700, 520), (600, 440, 660, 500), (0, 0, 3, 3), (630, 0, 640, 8), (-90, -90, -10, -10), (50, 50, 50, 50)],
)
def test_a_face_at_the_edge_or_beyond_keeps_its_whole_label_inside(box):
    digits = (colours((640, 480), face(*box, score=0.93)) != colours((640, 480), face(*box, score=0.28))).any(axis=-1)
    assert digits.sum() >= 20  # two digits, which can be read
    for edge in (digits[0], digits[-1], digits[:, 0], digits[:, -1]):
        assert not edge.any()


def test_tiny_photos_are_drawn_on_too():
    assert drawn((4, 3), face(0, 0, 4, 3)).any()
    assert drawn((1, 1), face(-5, -5, 5, 5)).any()


def test_a_photo_is_opened_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30] = 255
    upright = Image.fromarray(pixels)
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "lying.png", exif=exif)
    assert np.array_equal(np.asarray(drawing.opened(tmp_path / "lying.png")), pixels)


@pytest.mark.parametrize(
    ("mode", "colour", "rgb"),
    [
        ("L", 90, (90, 90, 90)),
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("LA", (0, 0), (255, 255, 255)),
        ("I;16", 90 * 256, (90, 90, 90)),
        ("1", 1, (255, 255, 255)),
    ],
)
def test_every_kind_of_pixels_becomes_rgb(tmp_path, mode, colour, rgb):
    Image.new(mode, (5, 4), colour).save(tmp_path / "a.png")
    image = drawing.opened(tmp_path / "a.png")
    assert (image.mode, image.size, image.getpixel((2, 2))) == ("RGB", (5, 4), rgb)


def test_what_cannot_be_opened_is_told(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    for name in ("a.jpg", "missing.jpg"):
        with pytest.raises(TriptychError, match="it cannot be drawn on"):
            drawing.opened(tmp_path / name)


def test_a_drawing_is_a_jpeg_in_a_folder_that_need_not_exist(tmp_path):
    drawing.save(Image.new("RGB", (5, 4)), tmp_path / "new" / "a.jpg")
    with Image.open(tmp_path / "new" / "a.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (5, 4))
