"""Pictures that the page shows: small upright copies of indexed photos, by id, of files inside the indexed folders, and of nothing else."""

import asyncio
import io
import os
import struct
import threading
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, ImageOps

from tests.support.drawn import encode, picture
from triptych.errors import InvalidInput
from triptych.gateway.refusals import Busy
from triptych.library import picture as library_picture
from triptych.page.cache import Cache
from triptych.page.renditions import TILE, Rendition, face_rendition
from triptych.page.workers import Workers

MILLION = 1_000_000


def made(image, rendition=TILE, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    stream.seek(0)
    return Image.open(io.BytesIO(rendition.make(stream, MILLION)))


def like(one, other):
    return np.abs(np.asarray(one.convert("RGB"), np.int16) - np.asarray(other.convert("RGB"), np.int16)).mean()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_stand_upright_and_say_nothing_of_where_they_were_taken(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Transpose methods that undo what the tag does
    upright = picture(640, 480)
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(turns[orientation]))
    shown = made(stored, Rendition(320, 90), "JPEG", quality=95, exif=exif)
    assert shown.size == (320, 240)
    assert like(shown, upright.resize((320, 240), Image.Resampling.LANCZOS)) < 4
    assert not dict(shown.getexif())


def test_photos_with_damaged_metadata_stand_upright_too():
    """A width that is a text: Pillow's own way of turning writes all of it anew, and raises struct.error there."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a photo"
    stream = io.BytesIO()
    picture(300, 200).save(stream, "JPEG", exif=exif)
    damaged = stream.getvalue().replace(b"\x01\x0e\x00\x02", b"\x01\x00\x00\x02", 1)
    with pytest.raises(struct.error):
        ImageOps.exif_transpose(Image.open(io.BytesIO(damaged)))
    assert library_picture.opened(damaged).size == (200, 300)
    assert Image.open(io.BytesIO(Rendition(150, 80).make(io.BytesIO(damaged), MILLION))).size == (100, 150)


def test_a_tiff_is_turned_once():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert made(picture(300, 200), Rendition(150, 80), "TIFF", exif=exif).size == (100, 150)


def test_postscript_is_not_opened(page, album):
    drawing = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(a) print\n%%EOF\n"
    photo = album.add("swapped.jpg", drawing)
    with pytest.raises(InvalidInput, match="cannot identify"):
        TILE.make(io.BytesIO(drawing), MILLION)
    assert page.get(f"/ui/tiles/{photo}").status_code == 400


def test_heic_is_shown_as_jpeg(page, album):
    pillow_heif.register_heif_opener()
    stream = io.BytesIO()
    picture(200, 120).save(stream, "HEIF", quality=90)
    photo = album.add("camera.HEIC", stream.getvalue())
    answer = page.get(f"/ui/tiles/{photo}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    shown = Image.open(io.BytesIO(answer.content))
    assert (shown.format, shown.size) == ("JPEG", (200, 120))
    assert like(shown, picture(200, 120)) < 6


def test_odd_pixels_are_shown_as_people_expect():
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    assert like(made(clear), Image.new("RGB", (40, 40), "white")) < 2
    deep = Image.fromarray(np.full((40, 40), 32768, np.uint16))
    assert like(made(deep), Image.new("L", (40, 40), 128)) < 2
    assert like(made(Image.new("CMYK", (40, 40), (0, 0, 0, 0)), kind="TIFF"), Image.new("RGB", (40, 40), "white")) < 2
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert made(picture(), kind="JPEG", icc_profile=profile).info["icc_profile"] == profile


def test_a_face_is_cut_out_square_and_stays_inside():
    image = Image.new("RGB", (800, 600), "white")
    image.paste((200, 30, 30), (600, 100, 700, 220))
    face = made(image, face_rendition((600, 100, 700, 220)), "JPEG", quality=95)
    assert face.size == (224, 224)
    assert like(face.crop((70, 50, 150, 170)), Image.new("RGB", (80, 120), (200, 30, 30))) < 5
    corner = made(image, face_rendition((780, 580, 820, 640)), "JPEG", quality=95)  # sticks out
    assert like(corner, Image.new("RGB", (224, 224), "white")) < 3


def test_what_is_too_large_or_broken_is_refused():
    with pytest.raises(InvalidInput, match="2000 x 1000 pixels, more than the limit"):
        made(Image.new("1", (2000, 1000)))
    with pytest.raises(InvalidInput, match="cannot be decoded"):
        TILE.make(io.BytesIO(b"no picture"), MILLION)


def test_browsers_ask_again_and_are_told_whether_it_changed(page, album, photo):
    first = page.get(f"/ui/tiles/{photo}")
    assert first.headers["cache-control"] == "private, no-cache"
    tag = first.headers["etag"]
    again = page.get(f"/ui/tiles/{photo}", headers={"if-none-match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert page.get(f"/ui/photos/{photo}").headers["etag"] != tag
    (album.folder / "one.jpg").write_bytes(encode(picture(96, 96), "jpeg"))
    changed = page.get(f"/ui/tiles/{photo}", headers={"if-none-match": tag})
    assert changed.status_code == 200
    assert Image.open(io.BytesIO(changed.content)).size == (96, 96)


def test_copies_are_kept_on_the_disk(page, photo, tmp_path):
    page.get(f"/ui/tiles/{photo}")
    (kept,) = (tmp_path / "cache").glob("??/*")
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0
    kept.write_bytes(b"from the cache")
    assert page.get(f"/ui/tiles/{photo}").content == b"from the cache"


@pytest.mark.parametrize(
    "path",
    [
        "0",
        "999",
        "99999999999999999999999",
        "-1",
        "one.jpg",
        "..%2f..%2flibrary.sqlite",
        "1/../../../library.sqlite",
        "%2e%2e/%2e%2e/library.sqlite",
        "1%00",
        "/etc/passwd",
    ],
)
def test_there_are_ids_and_no_paths(page, photo, path):
    for place in ("tiles", "photos", "static", "people"):
        assert page.get(f"/ui/{place}/{path}").status_code in (404, 405)


def test_the_pages_own_files_are_all_that_is_static(page):
    assert page.get("/ui/static/style.css").headers["content-type"].startswith("text/css")
    for path in ("..%2fguard.py", "../guard.py", "%2e%2e/guard.py", "..%5cguard.py", "", ".", "/etc/passwd"):
        assert page.get(f"/ui/static/{path}").status_code == 404


def test_a_link_out_of_the_folder_is_not_followed(page, album, photo, tmp_path):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(encode(picture(50, 50), "jpeg"))
    (album.folder / "link.jpg").symlink_to(secret)
    link = album.add("link.jpg")
    assert page.get(f"/ui/tiles/{link}").status_code == 404
    (album.folder / "inside.jpg").symlink_to(album.folder / "one.jpg")
    inside = album.add("inside.jpg")
    assert page.get(f"/ui/tiles/{inside}").status_code == 200

    page.get(f"/ui/tiles/{photo}")  # is in the cache now
    (album.folder / "one.jpg").unlink()
    (album.folder / "one.jpg").symlink_to(secret)
    answer = page.get(f"/ui/tiles/{photo}")
    assert (answer.status_code, str(tmp_path) in answer.text) == (404, False)
    (album.folder / "moved").mkdir()
    moved = album.add("moved/two.jpg", encode(picture(), "jpeg"))
    (album.folder / "moved").rename(tmp_path / "elsewhere")
    (album.folder / "moved").symlink_to(tmp_path / "elsewhere")
    assert page.get(f"/ui/photos/{moved}").status_code == 404


def test_a_link_that_is_put_there_after_the_look_is_not_followed(page, album, tmp_path, monkeypatch):
    for inside in ("one/two/photo.jpg", "three.jpg"):
        file = album.folder / inside
        file.parent.mkdir(parents=True, exist_ok=True)
        photo = album.add(inside, encode(picture(), "jpeg"))
        swapped = album.folder / inside.partition("/")[0]  # the first folder, or the file itself
        swapped.rename(tmp_path / swapped.name)
        swapped.symlink_to(tmp_path / swapped.name)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "resolve", lambda path, strict=False: path)  # as it was a moment ago
            assert page.get(f"/ui/tiles/{photo}").status_code == 404


def test_what_is_no_picture_any_more(page, album, photo):
    file = album.folder / "one.jpg"
    file.write_bytes(b"text")
    assert page.get(f"/ui/tiles/{photo}").status_code == 400
    file.unlink()
    assert page.get(f"/ui/tiles/{photo}").status_code == 404
    os.mkfifo(file)  # nobody waits for a writer
    assert page.get(f"/ui/tiles/{photo}").status_code == 404
    file.unlink()
    file.mkdir()
    assert page.get(f"/ui/tiles/{photo}").status_code == 404


def test_photos_of_a_forgotten_folder_are_gone_with_it(page, album, photo):
    assert page.get(f"/ui/tiles/{photo}").status_code == 200
    album.library.forget(album.folder)
    assert page.get(f"/ui/tiles/{photo}").status_code == 404


def test_the_cache_keeps_to_its_limit_and_what_was_looked_at(tmp_path):
    cache = Cache(tmp_path / "cache", 1000)
    for at in range(9):
        cache.put(f"{at:032}", bytes(100))
        os.utime(tmp_path / "cache" / "00" / f"{at:032}", (at, at))
    assert cache.get(f"{0:032}") == bytes(100)  # looked at now
    cache.put("f" * 32, bytes(150))
    kept = {file.name for file in (tmp_path / "cache").glob("??/*")}
    assert sum(file.stat().st_size for file in (tmp_path / "cache").glob("??/*")) <= 900
    assert {f"{0:032}", "f" * 32} <= kept
    assert f"{1:032}" not in kept
    other = Cache(tmp_path / "cache", 300)  # of the next start
    other.put("e" * 32, bytes(100))
    assert sum(file.stat().st_size for file in (tmp_path / "cache").glob("??/*")) <= 300


def test_a_cache_that_cannot_be_written_keeps_nothing(tmp_path):
    (tmp_path / "cache").write_text("a file")
    cache = Cache(tmp_path / "cache", 1000)
    cache.put("a" * 32, b"x")
    assert cache.get("a" * 32) is None


async def test_threads_are_bounded_and_so_is_the_queue_before_them():
    workers, go = Workers("test", threads=1, waiting=1), threading.Event()
    one, two = (asyncio.create_task(workers.run(go.wait, 60)) for _ in range(2))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await workers.run(int)
    two.cancel()
    await asyncio.gather(two, return_exceptions=True)
    three = asyncio.create_task(workers.run(lambda: threading.current_thread().name))
    await asyncio.sleep(0)
    go.set()
    assert await one is True
    assert (await three).startswith("test")
    workers.close()
