"""The gateway against its own description: whatever the schema allows, and what it forbids, gets an answer that the schema knows.

SCHEMA_EXAMPLES requests for each path and method, the same ones every time; `make fuzz` sends more, and new ones.
"""

import base64
import json
import os

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from tests.support.bad_images import INSIDE
from tests.support.drawn import encode, picture
from tests.support.gateway import CLIP, FACES, VISUAL
from triptych.gateway.app import description

CI_EXAMPLES = 30
EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", CI_EXAMPLES))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
BOUNDED = settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES == CI_EXAMPLES,
    deadline=None,  # of a machine of any speed
    database=None,
    suppress_health_check=list(HealthCheck),
)
JPEG = encode(picture(), "jpeg")
URL = f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"
GOOD = [
    ("/predict", {"entries": json.dumps(VISUAL | FACES), "image": JPEG}),
    ("/predict", {"entries": json.dumps(FACES), "image": JPEG}),
    ("/predict", {"entries": json.dumps({"clip": {"textual": {"modelName": CLIP}}}), "text": "a boat"}),
    ("/v1/embeddings", {"model": CLIP, "input": ["a boat", {"text": "a boat"}, URL, {"image": URL}]}),
    ("/v1/embeddings", {"model": CLIP, "input": "a boat", "encoding_format": "base64"}),
]
MEDIA = {"/predict": "multipart/form-data", "/v1/embeddings": "application/json"}

schema = schemathesis.openapi.from_dict(description())


@schema.parametrize()
@BOUNDED
def test_every_answer_is_one_that_the_description_knows(case, running):
    answer = case.call(base_url=running.url, timeout=60)
    assert not INSIDE.search(answer.text)
    case.validate_response(answer, checks=CHECKS)


@pytest.mark.parametrize(("path", "body"), GOOD)
def test_good_answers_are_as_described(running, path, body):
    case = schema[path]["POST"].Case(body=body, media_type=MEDIA[path])
    answer = case.call(base_url=running.url, timeout=60)
    assert answer.status_code == 200, answer.text
    case.validate_response(answer, checks=CHECKS)


def test_the_description_is_the_one_that_is_served(running):
    assert running.get("/openapi.json").json() == description()
