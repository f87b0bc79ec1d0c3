"""Folders with odd things in them, and files that are not what their names say."""

import pytest

from triptych.errors import InvalidInput
from triptych.library import files, picture


def test_a_link_that_leads_nowhere_is_told_and_the_rest_is_found(tmp_path):
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    (tmp_path / "broken.jpg").symlink_to("gone.png")
    (tmp_path / "photo.jpg").write_bytes(b"any")
    found = files.walk([str(tmp_path)]).files
    assert sorted(found) == [str(tmp_path / "circle.jpg"), str(tmp_path / "photo.jpg")]
    with pytest.raises(InvalidInput, match="cannot be read"):
        picture.read(found[str(tmp_path / "circle.jpg")])


def test_postscript_is_no_picture_whatever_it_is_called(tmp_path):
    """Pillow would start Ghostscript, which runs what it reads."""
    file = tmp_path / "photo.heic"
    file.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(a) print\n%%EOF\n")
    with pytest.raises(InvalidInput, match="cannot identify"):
        picture.opened(file)
    with pytest.raises(InvalidInput, match="cannot identify"):
        picture.read(files.File(str(file), file.stat().st_size, 1))
