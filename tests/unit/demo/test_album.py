"""The demo album: the same hundred pictures each time, of many kinds."""

import numpy as np
from PIL import Image, ImageOps

from demo.album import COUNT, THEMES, draw_album, photos
from demo.scenes import ALBUM_SEEDS, draw
from demo.scenes.facts import encode_facts, encode_scenes, fits


def test_the_album_is_a_hundred_pictures_always_the_same_five_for_each_theme():
    album = photos()
    assert len(album) == COUNT == 100
    assert album == photos()
    assert len({photo.scene.seed for photo in album}) == COUNT
    assert all(photo.scene.seed in ALBUM_SEEDS for photo in album)
    assert (fits(encode_facts(THEMES), encode_scenes([photo.scene for photo in album])).sum(axis=1) >= 5).all()


def test_sizes_formats_and_orientations_are_mixed():
    album = photos()
    assert {photo.name[-4:] for photo in album} == {".jpg", ".png", "webp"}
    assert len({photo.size for photo in album}) >= 6
    assert any(photo.orientation != 1 for photo in album)


def test_drawn_files_are_upright_once_their_orientation_is_honoured(tmp_path):
    (tmp_path / "old.jpg").write_bytes(b"of another album")
    count = next(i for i, photo in enumerate(photos(), start=1) if photo.orientation in (6, 8))
    written = list(draw_album(tmp_path, count=count, processes=1))
    assert sorted(written) == sorted(tmp_path.iterdir())
    photo = photos()[count - 1]
    with Image.open(written[-1]) as image:
        assert image.getexif()[0x0112] == photo.orientation
        assert image.size == photo.size[::-1]
        upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"), dtype=int)
    expected = np.asarray(draw(photo.scene, photo.size, supersampling=1), dtype=int)
    assert np.abs(upright - expected).mean() < 8
