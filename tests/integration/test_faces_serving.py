"""What faces cost and how they fail: runs by count, outputs nobody asked for, shared batches, bad options, bad photos, bad days."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, product

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

from tests.support.bad_images import INSIDE, bad_images, odd_but_good
from tests.support.faces import OUTPUTS, ask, connect, expected, photo, tensors
from tests.support.prometheus import batches
from tests.support.real import needs_real

pytestmark = needs_real

GROUP, ONE, NOBODY = "group_sts106_crew.jpg", "lu_portrait.jpg", "noface_coffee.jpg"
STEPS = ("face_preprocess", "photo_preprocess", "clip_visual", "face_detection", "face_embed", "face_recognition")
OPTIONS = {"min_score": 0.5, "max_faces": 3}
FACES = frozenset({"boxes", "landmarks", "scores", "embeddings"})


@pytest.fixture(scope="module")
def client(faces_engine):
    with connect(faces_engine) as connected:
        yield connected


def counted(client, model):
    return client.get_inference_statistics(model).model_stats[0].inference_count


def inferences(client):
    """What every step has done so far. Triton counts a request shortly after it answered it."""
    before, now = None, {model: counted(client, model) for model in STEPS}
    while now != before:
        time.sleep(0.05)
        before, now = now, {model: counted(client, model) for model in STEPS}
    return now


def spent(client, *arguments, **options):
    """Inferences per step that one request took; steps that were not used are left out."""
    before = inferences(client)
    ask(client, *arguments, **options)
    after = inferences(client)
    return {model: after[model] - before[model] for model in STEPS if after[model] > before[model]}


def refusal(client, data, model="faces", **options):
    with pytest.raises(InferenceServerException) as failure:
        ask(client, data, model, **options)
    return failure.value.status(), failure.value.message()


def test_a_photo_without_faces_costs_no_recognition(client):
    assert spent(client, photo(NOBODY)) == {"face_preprocess": 1, "face_detection": 1, "face_embed": 1}
    assert spent(client, photo(GROUP)) == {"face_preprocess": 1, "face_detection": 1, "face_embed": 1, "face_recognition": 7}
    assert spent(client, photo(GROUP), max_faces=2)["face_recognition"] == 2


def test_photo_decodes_once_for_everything(client):
    everything = spent(client, photo(GROUP), "photo", ("embedding", *OUTPUTS))
    assert everything == {"photo_preprocess": 1, "clip_visual": 1, "face_detection": 1, "face_embed": 1, "face_recognition": 7}


@pytest.mark.parametrize(
    "options", [(), ("min_score",), ("max_faces",), ("min_score", "max_faces")], ids=lambda names: "+".join(names) or "none"
)
def test_every_choice_of_outputs_works_with_every_choice_of_options_and_skips_the_rest(client, options):
    """In the order of the outputs: Triton 2.51 fails some of these when tensors are shared between a caller and a step."""
    given = {name: OPTIONS[name] for name in options}
    for model, names in (("faces", OUTPUTS), ("photo", ("embedding", *OUTPUTS))):
        for count in range(1, len(names) + 1):
            for wanted in combinations(names, count):
                answer = ask(client, photo(ONE), model, wanted, **given)
                assert set(answer) == set(wanted)
    first = {"faces": "face_preprocess", "photo": "photo_preprocess"}
    for model, wanted in product(("faces", "photo"), (("size",), ("boxes",), ("size", "scores"), ("embedding",), ("embedding", "size"))):
        if model == "faces" and "embedding" in wanted:
            continue
        steps = {first[model]}
        if "embedding" in wanted:
            steps.add("clip_visual")
        if {"embedding", *FACES} & set(wanted):  # `photo` goes one step after another, CLIP last
            steps |= {"face_detection", "face_embed", "face_recognition"}
        assert set(spent(client, photo(ONE), model, wanted, **given)) == steps, (model, wanted)


def test_faces_of_requests_that_arrive_together_share_recognition_runs(client, faces_engine):
    networks = ("face_detection", "face_recognition")
    before = {model: batches(faces_engine.metrics_url, model) for model in networks}
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda name: ask(client, photo(name)), [ONE, GROUP, "collins_portrait.jpg"] * 32))
    after = {model: batches(faces_engine.metrics_url, model) for model in networks}
    done = {model: after[model][0] - before[model][0] for model in networks}
    runs = {model: after[model][1] - before[model][1] for model in networks}
    assert done["face_detection"] == 96
    assert done["face_recognition"] == 32 * (1 + 7 + 1)
    assert runs["face_recognition"] <= 96 / 2
    assert runs["face_detection"] <= 96 / 2


@pytest.mark.parametrize("model", ["faces", "photo"])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_score": float("nan")}, "min_score is nan; expected a number from 0 to 1."),
        ({"min_score": -0.1}, "min_score is -0.1; expected a number from 0 to 1."),
        ({"min_score": 1.5}, "min_score is 1.5; expected a number from 0 to 1."),
        ({"min_score": float("inf")}, "min_score is inf; expected a number from 0 to 1."),
        ({"max_faces": -1}, "max_faces is -1; expected a whole number from 0 (all) to 1024."),
        ({"max_faces": 1025}, "max_faces is 1025; expected a whole number from 0 (all) to 1024."),
        ({"min_score": np.zeros((1, 0), np.float32)}, "[1,0]"),
        ({"max_faces": np.zeros((1, 2), np.int32)}, "[1,2]"),
    ],
    ids=lambda value: None if isinstance(value, str) else "",
)
def test_options_out_of_range_are_refused_with_the_range_before_any_network_runs(client, model, options, words):
    before = inferences(client)
    status, text = refusal(client, photo(ONE), model, **options)
    assert status == "StatusCode.INVALID_ARGUMENT"
    assert words in text
    assert not INSIDE.search(text)
    after = inferences(client)
    assert after["face_detection"] == before["face_detection"]
    assert after["clip_visual"] == before["clip_visual"]


def test_http_says_the_same(faces_engine):
    with triton_http.InferenceServerClient(faces_engine.http_url.removeprefix("http://")) as client:
        with pytest.raises(InferenceServerException, match="min_score is 2; expected a number from 0 to 1") as failure:
            client.infer("faces", tensors(photo(ONE), triton_http, min_score=2))
        assert failure.value.status() == "400"
        for name in (GROUP, NOBODY):
            answer = client.infer("faces", tensors(photo(name), triton_http))
            assert answer.as_numpy("boxes").shape == (1, len(expected()[name]), 4)
            assert answer.as_numpy("embeddings").shape == (1, len(expected()[name]), 128)


@pytest.mark.parametrize("model", ["faces", "photo"])
def test_bad_photos_get_their_sentence_while_good_ones_in_the_same_batches_succeed(client, model):
    cases = bad_images()
    asked = [data for case in cases for data in (case.data, photo(ONE))]

    def answer(data):
        try:
            return ask(client, data, model)
        except InferenceServerException as error:
            return error

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(answer, asked))
    for case, bad, neighbour in zip(cases, answers[::2], answers[1::2], strict=True):
        assert isinstance(bad, InferenceServerException), case.name
        assert bad.status() == "StatusCode.INVALID_ARGUMENT", case.name
        assert case.reason.lower() in bad.message().lower(), case.name
        assert not INSIDE.search(bad.message()), case.name
        assert isinstance(neighbour, dict), f"beside {case.name}: {neighbour}"
        assert len(neighbour["boxes"]) == 1
    for name, data in odd_but_good():
        assert isinstance(answer(data), dict), name


def test_one_photo_a_request(client):
    image = triton_grpc.InferInput("image", [2, 1], "BYTES")
    image.set_data_from_numpy(np.array([[photo(ONE)], [photo(NOBODY)]], dtype=object))
    for model in ("faces", "photo"):
        with pytest.raises(InferenceServerException, match="batch-size must be <= 1") as failure:
            client.infer(model, [image])
        assert failure.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_without_its_recogniser_a_photo_with_faces_is_unavailable_and_one_without_is_answered(client, faces_engine):
    client.unload_model("face_recognition", headers=faces_engine.control_headers)
    try:
        status, text = refusal(client, photo(ONE))
        assert status == "StatusCode.UNAVAILABLE"
        assert "face_recognition is busy or not ready; ask again later" in text
        assert len(ask(client, photo(NOBODY))["boxes"]) == 0
    finally:
        client.load_model("face_recognition", headers=faces_engine.control_headers)
    assert len(ask(client, photo(ONE))["boxes"]) == 1
