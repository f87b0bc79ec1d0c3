"""Smart search through the ensembles: right embeddings on every profile, batched, cached, and the same over both protocols."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http

from demo.scenes import EVALUATION_SEEDS, caption, draw, sample
from tests.support.drawn import encode
from tests.support.prometheus import batches, counter
from triptych_server.engine import Engine

SCENES = [sample(seed) for seed in EVALUATION_SEEDS[:12]]
"""Scenes that training never drew."""


@pytest.fixture(scope="module")
def pictures():
    return [encode(draw(scene, (480, 360)), "jpeg") for scene in SCENES]


@pytest.fixture(scope="module")
def captions():
    return [caption(scene) for scene in SCENES]


@pytest.fixture(params=["engine", "openvino_engine"])
def served(request) -> Engine:
    return request.getfixturevalue(request.param)


def strings(values, module=triton_grpc, name="image"):
    tensor = module.InferInput(name, [len(values), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[value if isinstance(value, bytes) else value.encode()] for value in values], dtype=object))
    return tensor


def connect(engine):
    return triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://"))


def embed_images(engine, pictures):
    with connect(engine) as client:
        return client.infer("search_image", [strings(pictures)]).as_numpy("embedding")


def embed_texts(engine, texts, language=None):
    inputs = [strings(texts, name="text")]
    if language is not None:
        inputs.append(strings([language] * len(texts), name="language"))
    with connect(engine) as client:
        return client.infer("search_text", inputs).as_numpy("embedding")


def test_captions_find_their_pictures(served, pictures, captions):
    images, texts = embed_images(served, pictures), embed_texts(served, captions)
    assert images.shape == texts.shape == (len(SCENES), 512)
    assert images.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-4)
    hits = (texts @ images.T).argmax(1) == np.arange(len(SCENES))
    assert hits.mean() >= 0.9


def test_profiles_agree(engine, openvino_engine, pictures, captions):
    for embed, inputs in ((embed_images, pictures), (embed_texts, captions)):
        cosine = (embed(engine, inputs) * embed(openvino_engine, inputs)).sum(1)
        assert cosine.min() >= 0.999  # bf16 against f32


def test_requests_that_arrive_together_are_batched_and_never_mixed_up(served, pictures):
    alone = np.concatenate([embed_images(served, [picture]) for picture in pictures])
    before = executions(served, "clip_visual")
    with connect(served) as client, ThreadPoolExecutor(48) as pool:

        def ask(index):
            return client.infer("search_image", [strings([pictures[index % len(pictures)]])]).as_numpy("embedding")[0]

        answers = list(pool.map(ask, range(96)))
    for index, answer in enumerate(answers):
        # In bf16 the same picture may differ a little from batch to batch; another picture differs far more.
        assert (alone @ answer).argmax() == index % len(pictures)
        assert alone[index % len(pictures)] @ answer >= 0.9995
    after = executions(served, "clip_visual")
    assert after[0] - before[0] == 96
    assert after[1] - before[1] <= 48


def test_http_and_grpc_give_the_same_answer(engine, pictures, captions):
    with triton_http.InferenceServerClient(engine.http_url.removeprefix("http://")) as client:
        image = client.infer("search_image", [strings(pictures[:2], triton_http)]).as_numpy("embedding")
        text = client.infer("search_text", [strings(captions[:2], triton_http, "text")]).as_numpy("embedding")
    np.testing.assert_allclose(image, embed_images(engine, pictures[:2]), atol=1e-6)
    np.testing.assert_allclose(text, embed_texts(engine, captions[:2]), atol=1e-6)


def test_a_repeated_query_does_not_run_the_text_tower(served):
    text = ["three yellow stars that nobody asked for before"]
    first = embed_texts(served, text)
    before = executions(served, "clip_textual"), counter(served.metrics_url, "nv_cache_num_hits_per_model", model="search_text")
    again = embed_texts(served, text)
    np.testing.assert_array_equal(again, first)
    assert executions(served, "clip_textual") == before[0]
    assert counter(served.metrics_url, "nv_cache_num_hits_per_model", model="search_text") == before[1] + 1
    embed_texts(served, ["two green stars that nobody asked for before"])
    assert executions(served, "clip_textual")[1] == before[0][1] + 1


def test_language_is_optional_and_part_of_the_cache_key(engine):
    text = ["a boat nobody asked for before"]
    without = embed_texts(engine, text)
    before = executions(engine, "clip_textual")[1]
    np.testing.assert_allclose(embed_texts(engine, text, "de"), without, atol=1e-6)  # this tokenizer has no language prefix
    assert executions(engine, "clip_textual")[1] == before + 1


def test_priorities_are_accepted(engine, pictures, captions):
    with connect(engine) as client:
        for priority in (1, 2):
            assert client.infer("search_image", [strings(pictures[:1])], priority=priority).as_numpy("embedding").shape == (1, 512)
            assert client.infer("search_text", [strings(captions[:1], name="text")], priority=priority).as_numpy("embedding").shape == (
                1,
                512,
            )


def test_the_device_that_really_runs_is_in_the_metrics(served):
    for model in ("clip_visual", "clip_textual"):
        assert counter(served.metrics_url, "triptych_device_info", model=model, requested="CPU", actual="CPU") == 1


def executions(engine, model):
    """(rows, runs) of a model so far, once they stand still."""
    last = None
    while (now := batches(engine.metrics_url, model)) != last:
        last = now
    return now
