"""A model around another model on the real Triton: rows shared across requests, refusals that hit only their own, a queue that is full."""

import contextlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from tritonclient.utils import InferenceServerException

from tests.support.serving import add_model, empty_repository, options
from triptych_server.engine import Engine
from triptych_server.engine.stubs import Stubs
from triptych_server.serving.serving_options import NICEST

CONFIG = """
backend: "python"
max_batch_size: 16
input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] } ]
instance_group [ { kind: KIND_CPU count: 1 } ]
dynamic_batching { }
"""
OUTER = """
from triptych_server.errors import InvalidInputError
from triptych_server.serving.calling import call_model
from triptych_server.serving.gathered import GatheredModel, Gathering

class Steps:
    def take(self, inputs):
        return {"y": -inputs["x"]} if inputs["x"][0, 0] == 0 else inputs["x"].copy()

    def rows(self, item):
        if item[0, 0] < 0:
            raise InvalidInputError("negative numbers are not for us")
        return item

    def answer(self, item, answers):
        return {"y": answers}

class TritonPythonModel(GatheredModel):
    def prepare(self, instance, parameters):
        inner = parameters["inner"]
        return Gathering(Steps(), lambda rows: call_model(inner, {"x": rows}, ["y"])["y"], 4)
"""
INNER = """
import time
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        time.sleep(0.05)
        return [self.answer(request.inputs()[0].as_numpy()) for request in requests]

    def answer(self, x):
        if (x == 99).any():
            return pb_utils.InferenceResponse(error=pb_utils.TritonError("a secret of /usr/lib/inside.py"))
        return pb_utils.InferenceResponse([pb_utils.Tensor("y", x * 2)])
"""


def parameters(**values):
    return "\n".join(f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}' for key, value in values.items())


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("gathered")
    repository = empty_repository(tmp / "repository")
    add_model(repository, "inner", CONFIG, code=INNER, where="python_models")
    add_model(repository, "outer", CONFIG + parameters(inner="inner", threads=2, nice=3), code=OUTER, where="python_models")
    bounded = "dynamic_batching { default_queue_policy { max_queue_size: 1 } }"
    narrow = CONFIG.replace("dynamic_batching { }", bounded).replace("max_batch_size: 16", "max_batch_size: 4")
    add_model(repository, "narrow", narrow, code=INNER, where="python_models")
    add_model(repository, "squeezed", CONFIG + parameters(inner="narrow"), code=OUTER, where="python_models")
    add_model(repository, "impatient", CONFIG + parameters(inner="inner", max_waiting=3), code=OUTER, where="python_models")
    with Engine(options(repository, tmp)) as started:
        yield started


@pytest.fixture(scope="module")
def client(engine):
    with triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://")) as connected:
        yield connected


def ask(client, model, *values):
    """The answers to one request, or its error."""
    rows = np.array(values, np.float32).reshape(-1, 1)
    tensor = triton_grpc.InferInput("x", rows.shape, "FP32")
    tensor.set_data_from_numpy(rows)
    try:
        return client.infer(model, [tensor]).as_numpy("y").ravel().tolist()
    except InferenceServerException as error:
        return error


def ask_all(client, model, requests):
    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(lambda values: ask(client, model, *values), requests))


def runs(client, model):
    return client.get_inference_statistics(model).model_stats[0].execution_count


def test_rows_of_many_requests_share_runs_and_come_back_to_their_own(client):
    requests = [tuple(range(10 * i + 1, 10 * i + 2 + i % 5)) for i in range(24) if i != 9]
    before = runs(client, "inner")
    for values, answer in zip(requests, ask_all(client, "outer", requests), strict=True):
        assert answer == [2 * value for value in values]
    assert runs(client, "inner") - before < len(requests)


def test_what_needs_no_inner_run_is_answered_without_one(client):
    before = runs(client, "inner")
    assert ask(client, "outer", 0) == [0]
    assert runs(client, "inner") == before


def test_a_request_that_is_refused_takes_no_other_along(client):
    answers = ask_all(client, "outer", [(-1,), (5,)] * 8)
    for refused, answered in zip(answers[::2], answers[1::2], strict=True):
        assert refused.status() == "StatusCode.INVALID_ARGUMENT"
        assert refused.message() == "negative numbers are not for us"
        assert answered == [10]


def test_an_inner_failure_is_an_internal_error_that_shows_nothing_of_it(client):
    error = ask(client, "outer", 99)
    assert error.status() == "StatusCode.INTERNAL"
    assert error.message() == "inner failed on this request; the server's log has the details"
    assert ask(client, "outer", 7) == [14]


def test_more_than_may_wait_is_unavailable_at_once(client):
    answers = ask_all(client, "impatient", [(value,) for value in range(1, 41)])
    kinds = Counter(type(answer) for answer in answers)
    assert kinds[list] >= 3
    assert kinds[InferenceServerException] >= 1
    for value, answer in enumerate(answers, start=1):
        if isinstance(answer, list):
            assert answer == [2 * value]
        else:
            assert answer.status() == "StatusCode.UNAVAILABLE"
            assert answer.message() == "impatient has 3 requests waiting already; ask again later"


def test_an_inner_queue_that_is_full_is_unavailable(client):
    asked = [("narrow", (1, 2, 3, 4)) if i % 4 else ("squeezed", (5,)) for i in range(48)]
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = list(pool.map(lambda one: ask(client, one[0], *one[1]), asked))
    squeezed = [answer for (model, _), answer in zip(asked, answers, strict=True) if model == "squeezed"]
    refused = [answer for answer in squeezed if isinstance(answer, InferenceServerException)]
    assert refused
    for error in refused:
        assert error.status() == "StatusCode.UNAVAILABLE"
        assert error.message() == "narrow is busy or not ready; ask again later"
    assert all(answer == [10] for answer in squeezed if isinstance(answer, list))
    assert ask(client, "squeezed", 5) == [10]


def test_a_nice_model_computes_nicely(engine, client):
    ask_all(client, "outer", [(value,) for value in range(1, 9)])  # its threads have begun
    stubs = {stub.model: stub.pid for stub in Stubs(engine.pid).look().living}
    as_we_are = os.getpriority(os.PRIO_PROCESS, 0)
    nicer = min(NICEST, as_we_are + 3)
    assert os.getpriority(os.PRIO_PROCESS, stubs["outer"]) == nicer
    assert Counter(niceness_of_threads(stubs["outer"]))[nicer] >= 5  # with the two workers and the two that make rows
    assert set(niceness_of_threads(stubs["squeezed"])) == {as_we_are}


def niceness_of_threads(pid):
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # it ended just now
            found.append(os.getpriority(os.PRIO_PROCESS, int(thread.name)))
    return found
