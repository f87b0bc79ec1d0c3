"""Faces through the client on the real Triton: four ways in, one answer; options, what is not paid for, and the command line."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.real import REAL, needs_real
from tests.support.serving import CHECKOUT
from tests.support.ways import KINDS, PROTOCOLS, Ask, asking, url_of
from triptych import Client, InvalidInput

PHOTOS = (REAL or Path()) / "photos"
GROUP, NOBODY = PHOTOS / "group_sts106_crew.jpg", PHOTOS / "noface_coffee.jpg"

pytestmark = needs_real


@pytest.fixture(params=PROTOCOLS)
def url(request: pytest.FixtureRequest, faces_engine: Any) -> str:
    return url_of(faces_engine, request.param)


@pytest.fixture(params=KINDS)
def ask(request: pytest.FixtureRequest, url: str, faces_engine: Any) -> Ask:
    """`ask(method, *arguments)`: the method's result from a client of its own, of either kind, over either protocol."""
    return asking(request.param, url, metrics_url=faces_engine.metrics_url)


@pytest.fixture(scope="module")
def group(faces_engine: Any) -> Any:
    """The seven faces of the group, as one way gives them."""
    with Client(faces_engine.grpc_url) as client:
        return client.faces(GROUP)


def alike(one: Any, other: Any) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert np.allclose(a.box, b.box, atol=0.1)
        assert np.allclose(a.landmarks, b.landmarks, atol=0.1)
        assert a.score == pytest.approx(b.score, abs=1e-3)
        assert float(a.embedding @ b.embedding) > 0.999


def test_every_way_gives_the_same_faces(ask, group):
    assert len(group) == 7
    assert [face.score for face in group] == sorted((face.score for face in group), reverse=True)
    for face in group:
        assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-3)
        assert (face.landmarks >= face.box[:2]).all()
        assert (face.landmarks <= face.box[2:]).all()
    with Image.open(GROUP) as image:
        pixels = image.convert("RGB")
    for form in (GROUP, str(GROUP), GROUP.read_bytes()):
        alike(ask("faces", form), group)
    for form in (pixels, np.asarray(pixels)):  # the same picture, not encoded by a camera
        assert len(ask("faces", form)) == 7


def test_a_photo_without_faces_gives_none(ask):
    assert ask("faces", NOBODY) == []
    analysis = ask("analyze", NOBODY)
    assert analysis.faces == ()
    assert analysis.size == (600, 400)
    assert np.linalg.norm(analysis.embedding) == pytest.approx(1, abs=1e-3)


def test_an_analysis_is_what_the_single_questions_give(ask, group):
    analysis = ask("analyze", GROUP)
    alike(analysis.faces, group)
    assert analysis.size == (1280, 878)
    assert float(analysis.embedding @ ask("embed_image", GROUP)) > 0.999


@pytest.mark.parametrize("options", [{}, {"min_score": 0.1}, {"max_faces": 2}, {"min_score": 0.1, "max_faces": 2}], ids=str)
@pytest.mark.parametrize("embedding", [True, False])
def test_every_combination_of_options_and_wishes_is_answered(ask, group, options, embedding):
    count = options.get("max_faces", 7)
    faces = ask("faces", GROUP, **options)
    analysis = ask("analyze", GROUP, embedding=embedding, **options)
    alike(faces[:count], group[:count])
    alike(analysis.faces[:count], group[:count])
    assert (analysis.embedding is not None) == embedding
    assert len(faces) == len(analysis.faces)
    assert len(faces) == count or "max_faces" not in options


def test_what_is_not_wanted_is_not_computed(ask):
    def counts() -> dict[str, int]:
        """Triton counts a request shortly after it answered it: look until nothing moves."""
        before, now = None, {model.name: model.count or 0 for model in ask("server_status")}
        while now != before:
            time.sleep(0.1)
            before, now = now, {model.name: model.count or 0 for model in ask("server_status")}
        return now

    before = counts()
    assert ask("analyze", GROUP, faces=False).faces is None
    between = counts()
    assert ask("analyze", GROUP, embedding=False).embedding is None
    after = counts()
    nets = ("clip_visual", "face_detection", "face_recognition")
    assert [between[name] - before[name] for name in nets] == [1, 0, 0]
    assert [after[name] - between[name] for name in nets] == [0, 1, 7]


def test_a_photo_on_its_side_gives_upright_coordinates(ask):
    lying = ask("analyze", PHOTOS / "variant_exif6.jpg", embedding=False)
    assert lying.size == (1280, 871)
    (face,) = lying.faces
    (original,) = ask("faces", PHOTOS / "lopez_alegria_onboard.jpg")
    assert np.allclose(face.box, original.box, atol=8)
    with Image.open(PHOTOS / "variant_exif6.jpg") as image:
        (turned,) = ask("faces", image)  # turned here instead of there
    assert np.allclose(turned.box, face.box, atol=2)


def test_bulk_gives_every_photo_its_own_faces(ask, group):
    photos = [GROUP, NOBODY, PHOTOS / "lu_portrait.jpg"] * 4
    found = ask("faces_in_images", photos, concurrency=6)
    assert [pair.image for pair in found] == photos
    assert [len(pair.faces) for pair in found] == [7, 0, 1] * 4
    alike(found[9].faces, group)
    analyzed = ask("analyze_images", photos[:3])
    assert [len(pair.analysis.faces) for pair in analyzed] == [7, 0, 1]


def test_bad_photos_are_told_from_good_ones(ask):
    told = []
    bad = [b"no picture", GROUP.read_bytes()[:2000], b""]
    for method in ("faces_in_images", "analyze_images"):
        pairs = ask(method, [NOBODY, *bad, NOBODY], on_error=lambda image, error: told.append((image, type(error))))
        assert [pair.image for pair in pairs] == [NOBODY, NOBODY]
    assert told == [(image, InvalidInput) for image in bad] * 2


def test_what_only_the_server_knows_to_be_wrong_is_invalid_input_too(ask):
    with pytest.raises(InvalidInput, match="max_faces"):
        ask("faces", GROUP, max_faces=2**31 - 1)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def triptych(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from triptych.cli import main; main()", *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=120, check=False, env=environment())


def test_the_command_line_lists_and_draws(url, tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    for photo in (GROUP, NOBODY, PHOTOS / "variant_exif6.jpg", PHOTOS / "variant_alpha.png", PHOTOS / "variant_cmyk.jpg"):
        shutil.copy(photo, album)
    (album / "broken.jpg").write_bytes(b"no picture")
    run = triptych("faces", str(album), "--draw", str(tmp_path / "drawn"), "--url", url)
    assert run.returncode == 1
    assert "broken.jpg" in run.stderr
    assert run.stderr.endswith("triptych: 1 photo could not be searched for faces or drawn on\n")
    assert len(run.stdout.splitlines()) == 1 + 7 + 1 + 3
    assert len(list((tmp_path / "drawn").iterdir())) == 5
    with Image.open(tmp_path / "drawn" / "variant_exif6.jpg") as image:
        assert image.size == (1280, 871)

    lines = triptych("faces", str(GROUP), "--json", "--max-faces", "3", "--url", url)
    assert (lines.returncode, lines.stderr) == (0, "")
    assert len(json.loads(lines.stdout)["faces"]) == 3


def test_the_example_of_the_documentation_runs(faces_engine, tmp_path):
    shutil.copy(GROUP, tmp_path / "photo.jpg")
    text = (CHECKOUT.root / "docs" / "client.md").read_text(encoding="utf-8")
    (example,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Client()" in block]
    code = example.replace("Client()", f"Client({faces_engine.grpc_url!r})")
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment()
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[7].startswith("(1280, 878)")
