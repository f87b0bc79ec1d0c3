"""The RKNN session over a fake of Rockchip's runtime (tests/support/fake_rknnlite.py): batches, contexts, threads, and rows that fail."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.support.rknn_session import right, rows, settings
from triptych_server.errors import InferenceError
from triptych_server.sessions import rknn


def test_runs_any_batch_and_tells_what_it_runs_on(lite, board, graph):
    session = rknn.open_session(settings(graph))
    assert [(spec.name, spec.dtype, spec.shape) for spec in session.inputs] == [("image", np.uint8, (None, 2, 2, 3))]
    assert [(spec.name, spec.dtype, spec.shape) for spec in session.outputs] == [("embedding", np.float32, (None, 4))]
    assert (session.device.requested, session.device.actual) == ("RKNPU", "RK3588 NPU, driver 0.9.8, runtime 2.5.0")
    assert (session.device.precision, session.device.fallback) == ("f16", "")
    assert [context.mask for context in lite.made] == [0, 0, 0]
    assert [context.runs for context in lite.made] == [1] * 3  # each has proved itself before it is ready
    assert session.concurrency == 4
    for values in ([7], [3, 1, 2], range(16)):
        with session.run({"image": rows(*values)}) as outputs:
            np.testing.assert_array_equal(outputs["embedding"], right(values))
    session.close()
    assert all(context.released for context in lite.made)


def test_no_answer_is_ever_anothers(lite, board, graph):
    """Twelve threads, batches of one to five, three contexts that overwrite their last answer."""
    session = rknn.open_session(settings(graph))

    def check(seed):
        values = np.random.default_rng(seed).integers(0, 255, 1 + seed % 5)
        with session.run({"image": rows(*values)}) as outputs:
            return np.array_equal(outputs["embedding"], right(values))

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(check, range(400)))
    assert all(context.runs > 100 for context in lite.made)
    session.close()


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_context_that_dies_takes_one_request_along(lite, board, graph, monkeypatch, comes_back):
    """It answers at once, and would draw the requests of all others to itself."""
    session = rknn.open_session(settings(graph))
    monkeypatch.setattr(lite, "killed_by", 200)
    if not comes_back:
        lite.fails["init_runtime"] = -1

    def check(value):
        try:
            with session.run({"image": rows(value)}) as outputs:
                return np.array_equal(outputs["embedding"], right([value]))
        except InferenceError as error:
            return str(error)

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(check, [*range(100), 200, *range(100, 200)]))
    assert found.pop(100).startswith("the NPU gave no answer to this request")
    assert all(answer is True for answer in found)
    assert sum(context.released for context in lite.made) == (1 if comes_back else 2)  # the dead one, and what could not start
    session.close()
    assert all(context.released for context in lite.made)


def test_the_last_context_is_tried_again_for_every_request(lite, board, graph, monkeypatch):
    session = rknn.open_session(settings(graph, contexts="2"))
    monkeypatch.setattr(lite, "killed_by", 200)
    lite.fails["init_runtime"] = -1
    for words in ("gave no answer", "gave no answer", "does not come back: RKNNLite.init_runtime gave -1", "does not come back"):
        with pytest.raises(InferenceError, match=words), session.run({"image": rows(200)}):
            pass
    del lite.fails["init_runtime"]
    with session.run({"image": rows(1, 2, 3)}) as outputs:
        np.testing.assert_array_equal(outputs["embedding"], right([1, 2, 3]))
    session.close()


def test_numbers_that_overflow_are_an_error_of_their_own_request(lite, board, graph):
    session = rknn.open_session(settings(graph))
    lite.fails["odd row"] = [np.float32([[1, 2, np.inf, 4]])]
    words = "net: numbers became infinite on RK3588 NPU.* in f16; serve this model in 32 bits, or by the profile cpu"
    with pytest.raises(InferenceError, match=words), session.run({"image": rows(1, 255)}):
        pass
    with session.run({"image": rows(1)}) as outputs:
        np.testing.assert_array_equal(outputs["embedding"], right([1]))
    session.close()


def test_outputs_stay_valid_while_other_batches_run(lite, board, graph):
    session = rknn.open_session(settings(graph, contexts="1"))
    with session.run({"image": rows(1, 2)}) as first, session.run({"image": rows(3, 4)}) as second:
        np.testing.assert_array_equal(first["embedding"], right([1, 2]))
        np.testing.assert_array_equal(second["embedding"], right([3, 4]))
    session.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "gave no answer to this request"),
        (-1, "gave no answer to this request"),
        (ValueError("Traceback … /opt/x.py"), "^the NPU failed on this request; the server's log has the details$"),
        ([np.zeros((1, 5), np.float32)], r"gave an output \[1, 5\]; expected \[1, 4\]: convert"),
        ([], "gave 0 outputs; expected 1"),
    ],
)
def test_a_failed_row_is_an_error_and_the_contexts_go_on(lite, board, graph, answer, words):
    session = rknn.open_session(settings(graph, contexts="2"))
    lite.fails["odd row"] = answer
    for values in ([255], [1, 255, 2]):
        for _ in range(4):
            with pytest.raises(InferenceError, match=words), session.run({"image": rows(*values)}):
                pass
    with session.run({"image": rows(1, 2, 3)}) as outputs:
        np.testing.assert_array_equal(outputs["embedding"], right([1, 2, 3]))
    session.close()


def test_an_output_with_axes_of_one_is_the_same_output(lite, board, graph):
    session = rknn.open_session(settings(graph))
    lite.fails["inference"] = [np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1)]
    with session.run({"image": rows(0)}) as outputs:
        np.testing.assert_array_equal(outputs["embedding"], right([0]))
    session.close()
