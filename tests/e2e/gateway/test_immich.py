"""What Immich's server sends, byte by byte, and what it must get: sizes, strings of numbers, whole boxes; the client's answers are the truth."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.support.gateway import CLIP, FACES, PACK, VISUAL
from tests.support.immich import recorded, sent
from triptych import Client

NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")


def numbers(text):
    """The array in a string, each number in the shortest form of its float32."""
    assert isinstance(text, str)
    parts = text.removeprefix("[").removesuffix("]").split(",")
    assert all(NUMBER.fullmatch(part) for part in parts)
    values = np.array(json.loads(text), np.float32)
    assert all(digits(part) == digits(np.format_float_scientific(value)) for part, value in zip(parts, values, strict=True))
    return values


def digits(number):
    """Those that count."""
    return number.lstrip("-").partition("e")[0].replace(".", "").strip("0")


@pytest.fixture(scope="module")
def client(triton):
    with Client(triton.grpc_url) as connected:
        yield connected


def asked(running, name, **content):
    status, kind, body = sent(running.port, recorded(name, **content))
    assert (status, kind) == (200, "application/json"), body
    return json.loads(body)


def test_ping_and_greeting(running):
    assert sent(running.port, recorded("ping")) == (200, "text/plain; charset=utf-8", b"pong")
    assert running.get("/").json() == {"message": "Immich ML"}
    assert running.get("/predict").status_code == 405


def test_a_picture_for_smart_search(running, client, group):
    answer = asked(running, "clip_visual", image=group)
    assert set(answer) == {"clip", "imageHeight", "imageWidth"}
    assert (answer["imageHeight"], answer["imageWidth"]) == (480, 720)
    np.testing.assert_allclose(numbers(answer["clip"]), client.embed_image(group), atol=1e-6)


def test_a_query_with_its_language(running, client):
    answer = asked(running, "clip_textual", text="zwei rote Boote")
    assert set(answer) == {"clip"}
    np.testing.assert_array_equal(numbers(answer["clip"]), client.embed_text("zwei rote Boote", language="de"))


def test_faces(running, client, group):
    answer = asked(running, "faces", image=group)
    assert set(answer) == {"facial-recognition", "imageHeight", "imageWidth"}
    faces = client.faces(group, min_score=0.7)
    assert len(faces) == len(answer["facial-recognition"]) >= 2
    for found, face in zip(answer["facial-recognition"], faces, strict=True):
        assert set(found) == {"boundingBox", "embedding", "score"}
        assert list(found["boundingBox"].items()) == list(zip(("x1", "y1", "x2", "y2"), map(round, face.box), strict=True))
        assert all(isinstance(side, float) for side in found["boundingBox"].values())
        assert found["score"] == pytest.approx(face.score, abs=1e-5)
        assert numbers(found["embedding"]) @ face.embedding == pytest.approx(1, abs=1e-4)


def test_ocr_is_refused_with_a_reason(running, group):
    status, _, body = sent(running.port, recorded("ocr", image=group))
    assert status == 422
    assert "switch OCR off" in json.loads(body)["detail"]


def test_search_and_faces_in_one_request_decode_once(running, triton, client, group):
    before = running_counts(client)
    answer = running.predict({**VISUAL, **FACES}, group).json()
    assert set(answer) == {"clip", "facial-recognition", "imageHeight", "imageWidth"}
    after = running_counts(client)
    spent = {name: after[name] - before[name] for name in after if after[name] != before[name] and name.endswith("_preprocess")}
    assert spent == {"photo_preprocess": 1}
    np.testing.assert_allclose(numbers(answer["clip"]), client.embed_image(group), atol=1e-2)
    assert len(answer["facial-recognition"]) == len(client.faces(group))


def running_counts(client):
    return {model.name: model.count or 0 for model in client.server_status()}


def test_options_are_the_requests_own(running, group):
    def count(score):
        entries = {"facial-recognition": {"detection": {"modelName": PACK, "options": {"minScore": score, "other": 1}}, **RECOGNITION}}
        return len(running.predict(entries, group).json()["facial-recognition"])

    assert count(1.0) == 0
    assert count(0.1) >= count(0.7) >= 2


RECOGNITION = {"recognition": {"modelName": PACK}}


def test_detection_alone_is_raw(running, client, group):
    answer = running.predict({"facial-recognition": {"detection": {"modelName": PACK}}}, group).json()["facial-recognition"]
    faces = client.faces(group)
    np.testing.assert_allclose(answer["boxes"], [face.box for face in faces], atol=0.01)
    np.testing.assert_allclose(answer["landmarks"], [face.landmarks for face in faces], atol=0.01)
    np.testing.assert_allclose(answer["scores"], [face.score for face in faces], atol=1e-5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_and_boxes_are_those_of_the_picture_as_sent(running, group, orientation):
    """A picture whose EXIF says that it lies on its side: faces are found upright, and told where the sent pixels have them."""
    upright = Image.open(io.BytesIO(group))
    straight = running.predict(FACES, group).json()["facial-recognition"]
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # PIL's transpositions that undo each orientation
    stored = upright.transpose(Image.Transpose(back[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    stored.save(buffer, "PNG", exif=exif)
    answer = running.predict(FACES, buffer.getvalue()).json()
    assert (answer["imageWidth"], answer["imageHeight"]) == stored.size
    assert len(answer["facial-recognition"]) == len(straight)
    for found, face in zip(answer["facial-recognition"], straight, strict=True):
        mask = Image.new("L", upright.size)
        ImageDraw.Draw(mask).rectangle(tuple(face["boundingBox"].values()), fill=255)
        expected = (mask.transpose(Image.Transpose(back[orientation])) if orientation > 1 else mask).getbbox()
        np.testing.assert_allclose(list(found["boundingBox"].values()), expected, atol=3)


@pytest.mark.parametrize("name", [CLIP, "immich-app/ViT-B-32__openai", "ViT-B-32::openai", "vit-b-32__OpenAI"])
def test_spellings_of_the_served_name(running, group, name):
    assert "clip" in running.predict({"clip": {"visual": {"modelName": name}}}, group).json()


def test_nothing_asked_is_the_size_alone(running, group):
    assert running.predict({}, group).json() == {"imageHeight": 480, "imageWidth": 720}


def test_a_picture_wins_over_a_text(running, group):
    assert set(running.predict(VISUAL, group, "text too").json()) == {"clip", "imageHeight", "imageWidth"}
