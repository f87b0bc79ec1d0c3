"""Faces and analyses over every way to a server: what is sent, what is asked for, and what becomes of the answer."""

import numpy as np
import pytest
from tritonclient.grpc import InferResult, service_pb2

from tests.unit.client.scripted_server import Reply, embedding_of, faces_of
from triptych import InvalidInput, ServerError
from triptych.calls import Call
from triptych.transport.tensors import answered

FACES = ["boxes", "landmarks", "scores", "embeddings"]


def test_a_picture_goes_alone_and_its_faces_come_back(ask, url, script):
    faces = ask(url, {}, "faces", b"photo", request_id="r-8")
    (seen,) = script.seen
    assert (seen.model, seen.inputs, seen.shapes) == ("faces", {"image": [b"photo"]}, {"image": [1, 1]})
    assert (seen.outputs, seen.priority, seen.request_id) == (FACES, 2, "r-8")
    assert [face.box for face in faces] == [(1.5, 2, 31, 42), (11.5, 12, 41, 52)]
    assert [face.score for face in faces] == pytest.approx([1, 0.99])
    assert faces[1].landmarks.tolist() == [[10, 11], [12, 13], [14, 15], [16, 17], [18, 19]]
    assert faces[1].embedding.tolist() == [1, 1.25, 1.5, 1.75]


@pytest.mark.parametrize("count", [0, 1, 60])
def test_any_number_of_faces_is_an_answer(ask, url, script, count):
    script.faces = count
    faces = ask(url, {}, "faces", b"photo")
    assert isinstance(faces, list)
    assert len(faces) == count
    expected = faces_of(count)
    assert [list(face.box) for face in faces] == expected["boxes"][0].tolist()
    assert np.array_equal(np.reshape([face.embedding for face in faces], (count, 4)), expected["embeddings"][0])
    analysis = ask(url, {}, "analyze", b"photo")
    assert analysis.faces == tuple(faces)


@pytest.mark.parametrize(
    ("options", "inputs", "datatypes"),
    [
        ({"min_score": 0.5}, {"min_score": [0.5]}, {"min_score": "FP32"}),
        ({"min_score": 0}, {"min_score": [0.0]}, {"min_score": "FP32"}),
        ({"max_faces": 0}, {"max_faces": [0]}, {"max_faces": "INT32"}),
        (
            {"min_score": np.float32(1), "max_faces": np.int64(3)},
            {"min_score": [1.0], "max_faces": [3]},
            {"min_score": "FP32", "max_faces": "INT32"},
        ),
    ],
)
@pytest.mark.parametrize("method", ["faces", "analyze", "faces_in_images", "analyze_images"])
def test_an_option_is_sent_only_when_it_is_given(ask, url, script, method, options, inputs, datatypes):
    ask(url, {}, method, [b"photo"] if method.endswith("images") else b"photo", **options)
    (seen,) = script.seen
    assert seen.inputs == {"image": [b"photo"], **inputs}
    assert seen.datatypes == {"image": "BYTES", **datatypes}
    assert set(map(tuple, seen.shapes.values())) == {(1, 1)}


@pytest.mark.parametrize(
    ("options", "outputs"),
    [
        ({}, ["embedding", *FACES, "size"]),
        ({"faces": False}, ["embedding", "size"]),
        ({"embedding": False}, [*FACES, "size"]),
    ],
)
def test_an_analysis_asks_only_for_what_is_wanted(ask, url, script, options, outputs):
    analysis = ask(url, {}, "analyze", b"photo", **options)
    (seen,) = script.seen
    assert (seen.model, seen.outputs) == ("search_image" if options == {"faces": False} else "photo", outputs)
    assert analysis.size == (640, 480)
    assert (analysis.faces is None) == ("faces" in options)
    assert (analysis.embedding is None) == ("embedding" in options)
    if analysis.faces is not None:
        assert [face.score for face in analysis.faces] == pytest.approx([1, 0.99])
    if analysis.embedding is not None:
        assert np.array_equal(analysis.embedding, embedding_of(b"photo"))


def test_models_can_be_named(ask, url, script):
    models = {"faces_model": "my_faces", "photo_model": "my_photo"}
    ask(url, models, "faces", b"x")
    ask(url, models, "analyze", b"x")
    assert [seen.model for seen in script.seen] == ["my_faces", "my_photo"]


def test_bulk_gives_every_picture_its_own_faces(ask, url, script):
    script.replies += [Reply(delay=0.1 if n % 3 == 0 else 0.0) for n in range(12)]
    pictures = [bytes([n + 1]) * (n + 1) for n in range(12)]
    pairs = ask(url, {}, "analyze_images", iter(pictures), concurrency=4)
    assert [pair.image for pair in pairs] == pictures
    assert [pair.analysis.embedding[0] for pair in pairs] == [n + 1 for n in range(12)]
    assert 1 < script.most_busy <= 4
    for picture, faces in ask(url, {}, "faces_in_images", iter(pictures)):
        assert picture in pictures
        assert [face.box[0] for face in faces] == [1.5, 11.5]


@pytest.mark.parametrize("method", ["faces_in_images", "analyze_images"])
def test_bulk_skips_what_fails_and_tells(ask, url, script, method):
    script.replies += [Reply(), Reply("INVALID_ARGUMENT", "no picture"), Reply()]
    told = []
    pairs = ask(url, {}, method, [b"a", b"b", b"c"], concurrency=1, on_error=lambda image, error: told.append((image, str(error))))
    assert [pair.image for pair in pairs] == [b"a", b"c"]
    assert told == [(b"b", "no picture")]


@pytest.mark.parametrize("method", ["embed_images", "faces_in_images", "analyze_images"])
@pytest.mark.parametrize("single", ["photo.jpg", b"photo", np.zeros((4, 4, 3), np.uint8)])
def test_a_single_picture_is_not_taken_for_many(ask, url, script, method, single):
    with pytest.raises(InvalidInput, match="several pictures are expected"):
        ask(url, {}, method, single)
    assert script.seen == []


@pytest.mark.parametrize(
    "options",
    [
        {"min_score": float("nan")},
        {"min_score": 1.01},
        {"min_score": -0.1},
        {"min_score": "0.5"},
        {"min_score": True},
        {"max_faces": -1},
        {"max_faces": 2**31},
        {"max_faces": 1.5},
        {"max_faces": True},
    ],
)
@pytest.mark.parametrize("method", ["faces", "analyze", "faces_in_images", "analyze_images"])
def test_an_option_that_makes_no_sense_is_refused_before_anything_is_sent(ask, url, script, method, options):
    (name,) = options
    with pytest.raises(InvalidInput, match=name):
        ask(url, {}, method, [b"photo"] if method.endswith("images") else b"photo", **options)
    assert script.seen == []


@pytest.mark.parametrize(
    ("options", "text"),
    [({"embedding": False, "faces": False}, "nothing is asked"), ({"faces": False, "min_score": 0.5}, "faces=False leaves those out")],
)
def test_an_analysis_of_nothing_is_refused(ask, url, script, options, text):
    for method, image in (("analyze", b"photo"), ("analyze_images", [b"photo"])):
        with pytest.raises(InvalidInput, match=text):
            ask(url, {}, method, image, **options)
    assert script.seen == []


WRONG = {
    "boxes": np.zeros((1, 2, 5), np.float32),
    "landmarks": np.zeros((1, 3, 5, 2), np.float32),  # of three faces, where the boxes are two
    "scores": np.zeros((1, 2), np.float64),
    "embeddings": np.zeros((2, 4), np.float32),
    "size": np.zeros((1, 3), np.int32),
    "embedding": np.zeros((2, 4), np.float32),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("missing", [False, True], ids=["wrong", "missing"])
def test_an_answer_of_another_form_is_the_servers_error(ask, url, script, name, missing):
    script.tensors[name] = None if missing else WRONG[name]
    for method in ("analyze", "faces") if name in FACES else ("analyze",):
        with pytest.raises(ServerError, match=f"'{name}'"):
            ask(url, {}, method, b"photo")
    assert len(script.seen) == 1 + (name in FACES)


def test_a_wrong_shape_is_told_with_the_right_one(ask, url, script):
    script.tensors["landmarks"] = WRONG["landmarks"]
    with pytest.raises(ServerError) as caught:
        ask(url, {}, "faces", b"photo")
    assert str(caught.value) == "'faces' answered 'landmarks' as float32 [1, 3, 5, 2] where float32 [1, 2, 5, 2] was expected"


def test_a_tensor_whose_data_does_not_fill_its_shape_is_the_servers_error():
    form = service_pb2.ModelInferResponse.InferOutputTensor(name="boxes", datatype="FP32", shape=[1, 2, 4])
    result = InferResult(service_pb2.ModelInferResponse(outputs=[form], raw_output_contents=[bytes(16)]))
    with pytest.raises(ServerError, match="'faces' answered a tensor 'boxes' whose data does not fill its shape"):
        answered(Call("faces", {}, priority=2, outputs=("boxes",)), result)
