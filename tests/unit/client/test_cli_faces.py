"""`triptych faces` as a user meets it: a table, JSON lines, drawings, and what becomes of bad photos."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.unit.client.scripted_server import Reply
from tests.unit.client.test_cli import triptych


@pytest.fixture
def album(tmp_path):
    """Two photos of one name in different folders, one of them lying on its side."""
    folder = tmp_path / "album"
    (folder / "trip [red]").mkdir(parents=True)
    Image.new("RGB", (640, 480), "white").save(folder / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (480, 640), 255).save(folder / "trip [red]" / "a.jpg", exif=exif)
    return folder


def test_a_table_has_a_row_per_face(url, album):
    run = triptych("faces", str(album), "--url", url)
    assert (run.returncode, run.stderr) == (0, "")
    head, *rows = (line.rstrip() for line in run.stdout.splitlines())
    assert head.split() == ["photo", "face", "score", "box", "size"]
    for photo, pair in ((album / "a.png", rows[:2]), (album / "trip [red]" / "a.jpg", rows[2:])):
        assert all(row.startswith(str(photo)) for row in pair)
        assert [row.removeprefix(str(photo)).split() for row in pair] == [
            ["1", "1.00", "2", "2", "31", "42", "30", "x", "40"],
            ["2", "0.99", "12", "12", "41", "52", "30", "x", "40"],
        ]


def test_a_photo_without_faces_has_its_row(url, album, script):
    script.faces = 0
    run = triptych("faces", str(album), "--url", url)
    assert (run.returncode, run.stderr) == (0, "")
    assert [line.split()[-4:] for line in run.stdout.splitlines()[1:]] == [["-"] * 4] * 2


def test_json_lines_hold_everything_to_the_last_bit(url, album):
    run = triptych("faces", str(album), "--json", "--url", url)
    assert (run.returncode, run.stderr) == (0, "")
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line["photo"] for line in lines] == [str(album / "a.png"), str(album / "trip [red]" / "a.jpg")]
    second = lines[0]["faces"][1]
    assert second["box"] == [11.5, 12, 41, 52]
    assert np.float32(second["score"]) == np.float32(0.99)
    assert second["landmarks"][0] == [10, 11]
    assert second["embedding"] == [1, 1.25, 1.5, 1.75]


def test_options_reach_the_server(url, album, script):
    assert triptych("faces", str(album / "a.png"), "--min-score", "0.25", "--max-faces", "3", "--url", url).returncode == 0
    (seen,) = script.seen
    assert (seen.inputs["min_score"], seen.inputs["max_faces"]) == ([0.25], [3])


def test_drawings_are_upright_and_do_not_overwrite_each_other(url, album, tmp_path):
    run = triptych("faces", str(album), "--draw", str(tmp_path / "new" / "drawn"), "--url", url)
    assert (run.returncode, run.stderr) == (0, "")
    files = sorted((tmp_path / "new" / "drawn").iterdir())
    assert [file.name for file in files] == ["a-2.jpg", "a.jpg"]
    for file in files:
        with Image.open(file) as image:
            assert (image.format, image.size) == ("JPEG", (640, 480))
            pixels = np.asarray(image.convert("RGB")).astype(int)
        assert (np.abs(pixels - 255).sum(axis=-1) > 100)[:60, :60].sum() > 100
        assert (np.abs(pixels - 255).sum(axis=-1) < 30)[100:, 200:].all()


def test_bad_photos_are_listed_and_the_rest_is_shown(url, album, script, tmp_path):
    (album / "b.jpg").write_bytes(b"sent, answered, and cannot be drawn on")
    script.replies += [Reply("INVALID_ARGUMENT", "no picture: 1 byte")]
    run = triptych("faces", str(album), "missing.jpg", "--draw", str(tmp_path / "drawn"), "--url", url, "--concurrency", "1")
    assert run.returncode == 1
    lines = run.stderr.splitlines()
    assert lines[0] == f"skipped {album / 'a.png'}: no picture: 1 byte"
    assert lines[1].startswith(f"skipped {album / 'b.jpg'}: it cannot be drawn on: ")
    assert lines[2].startswith("skipped missing.jpg: cannot read missing.jpg: No such file")
    assert lines[3:] == ["triptych: 3 photos could not be searched for faces or drawn on"]
    assert len(run.stdout.splitlines()) == 5
    assert [file.name for file in (tmp_path / "drawn").iterdir()] == ["a-2.jpg"]


def test_a_drawing_that_cannot_be_written_loses_no_row(url, album, tmp_path):
    (tmp_path / "taken").write_text("a file, where a folder is wanted")
    run = triptych("faces", str(album), "--draw", str(tmp_path / "taken"), "--url", url)
    assert run.returncode == 1
    assert len(run.stdout.splitlines()) == 1 + 4
    assert "Traceback" not in run.stderr
    assert run.stderr.count("cannot be written: ") == 2


def test_originals_are_never_drawn_over(url, album, script):
    before = {file: file.read_bytes() for file in album.rglob("*") if file.is_file()}
    for folder in (album, album / "trip [red]", album / "..", album / "trip [red]" / ".."):
        run = triptych("faces", str(album), "--draw", str(folder), "--url", url)
        assert run.returncode == 1
        assert "might be overwritten; name another folder" in run.stderr
    assert script.seen == []
    assert {file: file.read_bytes() for file in album.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--min-score", "nan"], "triptych: min_score is a number from 0 to 1, not nan\n"),
        (["--min-score", "7"], "triptych: min_score is a number from 0 to 1, not 7.0\n"),
        (["--max-faces", "-1"], "triptych: max_faces is a whole number, 0 (all) or more, not -1\n"),
    ],
)
def test_a_wrong_option_is_told_once(url, album, script, options, sentence):
    run = triptych("faces", str(album), *options, "--url", url)
    assert (run.returncode, run.stdout, run.stderr) == (1, "", sentence)
    assert script.seen == []
