"""Any bytes, as the body of /v1/embeddings -> texts and pictures.

Must hold: errors of the caller alone (status below 500), which show nothing of the inside; what was taken is texts that are UTF-8 and not
empty, and bytes; a picture that is sent as base64, in all three forms, comes out as it went in.
"""

import base64

import orjson

from tests.fuzz.target import Target
from tests.support.bad_images import INSIDE
from triptych.errors import TriptychError
from triptych.gateway.openai_input import MAX_INPUTS, EmbeddingsRequest
from triptych.gateway.refusals import status_of


def check(data: bytes) -> None:
    _round_trip(data)
    try:
        asked = EmbeddingsRequest.parse(data)
    except TriptychError as error:
        assert 400 <= status_of(error) < 500, error
        assert not INSIDE.search(str(error)), str(error)
        return
    assert asked.model.strip()
    assert 1 <= len(asked.inputs) <= MAX_INPUTS
    assert all(isinstance(item, bytes) or item.encode() for item in asked.inputs)
    orjson.dumps(asked.model)


def _round_trip(data: bytes) -> None:
    text = base64.b64encode(data).decode()
    url = f"data:image/jpeg;base64,{text}"
    body = {"model": "m", "input": [url, {"image": url}, {"image": text}]}
    assert EmbeddingsRequest.parse(orjson.dumps(body)).inputs == (data, data, data)


def seeds() -> list[bytes]:
    inputs = [
        '"a"',
        '["a",{"text":"b"}]',
        '"data:image/png;base64,iVBORw0KGgo="',
        '{"image":"data:;base64,AA=="}',
        '{"image":"AA=="}',
        '"http://x/y.jpg"',
    ]
    inputs += [
        "[]",
        "[1,2]",
        "[[1]]",
        "null",
        "{}",
        '""',
        '"data:image/png,x"',
        "[" + ",".join(['"a"'] * 257) + "]",
        '"\\ud800"',
        '"data:;base64,A"',
    ]
    more = [
        "",
        ',"encoding_format":"base64","dimensions":64,"language":"de"',
        ',"encoding_format":[1]',
        ',"dimensions":1e3',
        ',"dimensions":true',
    ]
    bodies = [f'{{"model":"m","input":{each}{more[index % len(more)]}}}' for index, each in enumerate(inputs)]
    return [body.encode() for body in [*bodies, "{", "[]", "null", '{"model":1}', '{"model":" "}', "[" * 3000]]


TARGET = Target(check, seeds, max_length=4000)
