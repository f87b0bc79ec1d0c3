"""OpenAI's own client package in front of the real Triton: texts and pictures, floats and base64, models, and what is refused."""

import base64

import httpx
import numpy as np
import openai
import pytest

from tests.support.gateway import CLIP
from triptych import Client


@pytest.fixture(scope="module")
def api(running):
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0, http_client=httpx.Client(trust_env=False)) as client:
        yield client


@pytest.fixture(scope="module")
def client(triton):
    with Client(triton.grpc_url) as connected:
        yield connected


def data_url(image):
    return "data:image/jpeg;base64," + base64.b64encode(image).decode()


def rows(answer):
    assert [row.index for row in answer.data] == list(range(len(answer.data)))
    return np.array([row.embedding for row in answer.data], np.float32)


@pytest.mark.parametrize("more", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}], ids=str)
def test_texts(api, client, more):
    answer = api.embeddings.create(model=CLIP, input=["two boats", "a dog"], **more)
    assert answer.model == CLIP
    if more.get("encoding_format") == "base64":
        found = np.stack([np.frombuffer(base64.b64decode(row.embedding), "<f4") for row in answer.data])
    else:
        found = rows(answer)
    np.testing.assert_allclose(found, client.embed_text(["two boats", "a dog"]), atol=1e-5)


def test_one_text(api, client):
    np.testing.assert_allclose(
        rows(api.embeddings.create(model=f"immich-app/{CLIP}", input="a dog")), [client.embed_text("a dog")], atol=1e-5
    )


def test_pictures_and_texts_in_their_order(api, client, group):
    raw = base64.b64encode(group).decode()
    given = [data_url(group), "a dog", {"image": raw}, {"text": "https://example.org"}, {"image": data_url(group)}]
    found = rows(api.embeddings.create(model=CLIP, input=given))
    picture = client.embed_image(group)
    for index, expected in enumerate([picture, client.embed_text("a dog"), picture, client.embed_text("https://example.org"), picture]):
        assert found[index] @ expected == pytest.approx(1, abs=1e-4)


def test_models(api):
    (model,) = api.models.list().data
    assert (model.id, model.owned_by) == (CLIP, "immich-app")
    assert api.models.retrieve(CLIP) == model
    with pytest.raises(openai.NotFoundError, match="lists those that are"):
        api.models.retrieve("gpt-4")


REFUSED = [
    ({"input": "https://example.org/cat.jpg"}, "pictures are not fetched"),
    ({"input": [{"image": "http://127.0.0.1:8000/"}]}, "pictures are not fetched"),
    ({"input": ["data:image/png,notbase64"]}, "no data URL with base64"),
    ({"input": [{"image": "?"}]}, "input 0 is no base64"),
    ({"input": ["a dog", "data:image/jpeg;base64,aGVsbG8="]}, "input 1: the image is no picture"),
    ({"input": [1, 2, 3]}, "input 0 is tokens"),
    ({"input": []}, "input is empty"),
    ({"input": ["a"] * 257}, "input has 257 items, and the limit is 256"),
    ({"input": "a dog", "dimensions": 7}, "dimensions is 7; the served model gives"),
    ({"input": "a dog", "model": "ViT-B-16__openai"}, "triptych models use ViT-B-16__openai"),
    ({"input": "a dog", "extra_body": {"encoding_format": "hex"}}, "encoding_format is 'hex'"),
]


@pytest.mark.parametrize(("asked", "reason"), REFUSED, ids=[reason[:25] for _, reason in REFUSED])
def test_what_is_refused(api, asked, reason):
    with pytest.raises((openai.BadRequestError, openai.UnprocessableEntityError)) as refused:
        api.embeddings.create(**{"model": CLIP, **asked})
    assert reason in refused.value.message
    assert refused.value.type == "invalid_request_error"
