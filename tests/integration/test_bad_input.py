"""Bad input over both protocols: each gets its sentence and status, shows nothing of the server's inside, and hurts no neighbour."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

from tests.support.bad_images import INSIDE, bad_images, odd_but_good
from tests.support.drawn import encode, picture

CORPUS = bad_images()


class Service:
    """search_image over one protocol; an answer is an embedding or the error (status, text)."""

    def __init__(self, engine, protocol):
        self.module = triton_grpc if protocol == "grpc" else triton_http
        self.url = (engine.grpc_url if protocol == "grpc" else engine.http_url).split("//")[1]
        self.invalid = "StatusCode.INVALID_ARGUMENT" if protocol == "grpc" else "400"

    def ask(self, tensors, model="search_image", output="embedding"):
        with self.module.InferenceServerClient(self.url) as client:
            try:
                return client.infer(model, tensors).as_numpy(output)
            except InferenceServerException as error:
                return error.status(), error.message()

    def strings(self, values, name="image"):
        tensor = self.module.InferInput(name, [len(values), 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[value] for value in values], dtype=object).reshape(-1, 1))
        return tensor

    def image(self, data):
        return self.ask([self.strings([data])])


@pytest.fixture(scope="module", params=["grpc", "http"])
def service(request, engine):
    return Service(engine, request.param)


def test_the_corpus_is_large_enough():
    assert len(CORPUS) >= 60
    assert len({case.name for case in CORPUS}) == len(CORPUS)


def test_each_bad_picture_gets_its_sentence_while_good_ones_in_the_same_batches_succeed(service):
    good = encode(picture(), "jpeg")
    expected = service.image(good)
    asked = [data for case in CORPUS for data in (case.data, good)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(service.image, asked))
    for case, (bad, neighbour) in zip(CORPUS, zip(answers[::2], answers[1::2], strict=True), strict=True):
        assert isinstance(bad, tuple), f"{case.name} was accepted"
        status, text = bad
        assert status == service.invalid, f"{case.name}: {status} {text}"
        assert case.reason.lower() in text.lower(), f"{case.name}: {text}"
        assert not INSIDE.search(text), f"{case.name}: {text}"
        assert isinstance(neighbour, np.ndarray), f"beside {case.name}: {neighbour}"
        np.testing.assert_allclose(neighbour, expected, atol=1e-5)


def test_odd_but_good_pictures_are_taken(service):
    for name, data in odd_but_good():
        answer = service.image(data)
        assert isinstance(answer, np.ndarray), f"{name}: {answer}"


def test_a_bad_picture_in_a_request_of_several_fails_that_request_alone(service):
    good = encode(picture(), "jpeg")
    status, text = service.ask([service.strings([good, b"no picture", good])])
    assert status == service.invalid
    assert isinstance(service.ask([service.strings([good, good])]), np.ndarray), text


def test_wrong_shapes_types_and_names_are_the_callers_error(service):
    data = service.module
    flat = data.InferInput("image", [1], "BYTES")
    flat.set_data_from_numpy(np.array([b"x"], dtype=object))
    numbers = data.InferInput("image", [1, 1], "UINT8")
    numbers.set_data_from_numpy(np.zeros((1, 1), np.uint8))
    nobody = data.InferInput("picture", [1, 1], "BYTES")
    nobody.set_data_from_numpy(np.array([[b"x"]], dtype=object))
    none = service.strings([])
    many = service.strings([b"x"] * 17)
    for tensors in ([flat], [numbers], [nobody], [none], [many], []):
        status, text = service.ask(tensors)
        assert status == service.invalid, text
        assert not INSIDE.search(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [(b"\xff\xfe broken", "UTF-8"), (b"a" * 10_001, "10,000"), (b"\xc3", "UTF-8")],
    ids=["not utf-8", "too long", "half a letter"],
)
def test_bad_texts_get_their_sentence(service, text, words):
    status, message = service.ask([service.strings([text], "text")], model="search_text")
    assert status == service.invalid
    assert words in message


def test_empty_and_odd_texts_are_taken(service):
    for text in ("", " ", "\0", "🦆" * 300, "ß", "a\u0301"):
        answer = service.ask([service.strings([text.encode()], "text")], model="search_text")
        assert isinstance(answer, np.ndarray), f"{text!r}: {answer}"


def test_unknown_models_are_not_found(service):
    status, _ = service.ask([service.strings([b"x"])], model="search_images")
    assert status in {"StatusCode.NOT_FOUND", "StatusCode.UNAVAILABLE", "404", "400"}
    assert "INTERNAL" not in status
