"""The RKNN session over a fake of Rockchip's runtime (tests/support/fake_rknnlite.py): contexts, threads, versions, and every way to fail."""

import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.support import boards, fake_rknnlite
from tests.support.graphs import write_graph
from triptych_server.errors import ConfigError, DeviceError, InferenceError, RuntimeMissingError
from triptych_server.hardware.tree import Tree
from triptych_server.models.convert.record import TAIL, Conversion, Tensor, graph_hash
from triptych_server.sessions import rknn
from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import SessionSettings
from triptych_server.sessions.rknn_options import RknnOptions

RK3566 = {"proc/device-tree/compatible": b"radxa,zero-3\0rockchip,rk3566\0"}


@pytest.fixture
def lite(monkeypatch):
    """The fake, in the place of rknnlite.api."""
    api = ModuleType("rknnlite.api")
    api.RKNNLite = fake_rknnlite.RKNNLite
    monkeypatch.setitem(sys.modules, "rknnlite", ModuleType("rknnlite"))
    monkeypatch.setitem(sys.modules, "rknnlite.api", api)
    monkeypatch.setattr(fake_rknnlite.RKNNLite, "fails", {})
    monkeypatch.setattr(fake_rknnlite.RKNNLite, "made", [])
    return fake_rknnlite.RKNNLite


@pytest.fixture
def board(monkeypatch, tmp_path):
    """Puts the session on a board of tests/support/boards."""

    def sit_on(description):
        root = boards.build(description, tmp_path / "board")
        monkeypatch.setattr(rknn, "Tree", lambda: Tree(root))

    sit_on(boards.ROCK_5B)
    return sit_on


@pytest.fixture
def graph(tmp_path):
    """A served graph with its conversions: image uint8 [B,2,2,3] -> embedding float32 [B,4], 10 more than the network gives."""
    given = [("image", TensorProto.UINT8, ["batch", 2, 2, 3])]
    cast = helper.make_node("Cast", ["image"], ["f"], to=TensorProto.FLOAT)
    mean = helper.make_node("ReduceMean", ["f"], ["m"], axes=[1, 2], keepdims=0)
    graph = write_graph(tmp_path / "model.onnx", [cast, mean], inputs=given, output=("m", ["batch", 3]))
    for soc in ("rk3588", "rk3566"):
        folder = tmp_path / soc
        folder.mkdir()
        (folder / "model.rknn").write_bytes(b"RKNN")
        add = helper.make_node("Add", ["pooled", "ten"], ["embedding"])
        tail = ("pooled", TensorProto.FLOAT, ["batch", 4])
        write_graph(folder / TAIL, [add], weights={"ten": np.float32([10])}, inputs=[tail], output=("embedding", ["batch", 4]))
        tensors = Tensor("image", "uint8", (1, 2, 2, 3)), (Tensor("pooled", "float32", (1, 4)),)
        Conversion(graph_hash(graph), soc, "rknn-toolkit2", "2.5.0", "f16", *tensors).write(folder)
    return graph


def settings(graph, **parameters):
    return SessionSettings("net", graph, 16, "MODEL", parameters=Parameters(parameters))


def rows(*values):
    return np.stack([np.full((2, 2, 3), value, np.uint8) for value in values])


def right(values):
    return 2.0 * np.array(values)[:, None] + np.arange(4) + 10


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


@pytest.mark.parametrize("answer", [None, [np.zeros((1, 5), np.float32)]])
def test_an_npu_that_takes_no_work_is_told_before_the_model_is_ready(lite, board, graph, answer):
    lite.fails["inference"] = answer
    with pytest.raises(DeviceError, match="net: the first run failed: the NPU gave "):
        rknn.open_session(settings(graph))
    assert all(context.released for context in lite.made)
    session = rknn.open_session(settings(graph, allow_fallback="true"))
    assert "the first run failed" in session.device.fallback
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


@pytest.mark.parametrize(
    ("step", "answer"),
    [("load_rknn", -1), ("init_runtime", -1), ("init_runtime", Exception("RKNN init failed. error code: RKNN_ERR_FAIL"))],
)
def test_a_runtime_that_does_not_start_says_what_the_board_lacks(lite, board, graph, step, answer):
    board(boards.ROCK_5B_OLD_DRIVER)
    lite.fails[step] = answer
    with pytest.raises(
        DeviceError, match=rf"net: RKNNLite\.{step} .*NPU driver: 0\.8\.2, expected RKNPU driver 0\.9\.8 or newer \(sudo apt"
    ):
        rknn.open_session(settings(graph))
    assert all(context.released for context in lite.made)


def test_a_container_that_hides_the_board_is_told_its_option(lite, board, graph, tmp_path, monkeypatch):
    root = boards.build(boards.ROCK_5B_IN_CONTAINER, tmp_path / "container")
    monkeypatch.setattr(rknn, "Tree", lambda: Tree(root))
    lite.fails["init_runtime"] = -1
    with pytest.raises(DeviceError, match=r"device tree: /proc/device-tree is hidden, .*security_opt: \[systempaths=unconfined"):
        rknn.open_session(settings(graph))


def test_a_runtime_that_cannot_be_made_is_a_device_error(lite, board, graph):
    lite.fails["made"] = OSError("librknnrt.so: cannot open shared object file")
    with pytest.raises(DeviceError, match=r"net: RKNNLite could not be made: librknnrt\.so: cannot open"):
        rknn.open_session(settings(graph))


def test_a_board_that_lacks_nothing_sends_to_the_log(lite, board, graph):
    lite.fails["init_runtime"] = -1
    with pytest.raises(DeviceError, match="init_runtime gave -1; the lines that begin with `E` in the log say why"):
        rknn.open_session(settings(graph))


@pytest.mark.parametrize(
    ("description", "words"),
    [
        (boards.RASPBERRY_PI_5, "an NPU of Rockchip was asked for; hardware: no Rockchip NPU, expected RK3566, RK3568, RK3576, RK3588"),
        ({**boards.ROCK_5B, "proc/device-tree/compatible": b"pine64,x\0rockchip,rk3399\0"}, "hardware: RK3399, expected RK3566"),
    ],
)
def test_another_board_is_refused_unless_a_fallback_is_allowed(lite, board, graph, description, words):
    board({**boards.ROCK_5B, "sys/class/drm/renderD129/device/uevent": "", **description})
    with pytest.raises(DeviceError, match=words):
        rknn.open_session(settings(graph))
    session = rknn.open_session(settings(graph, allow_fallback="true"))
    assert (session.device.requested, session.device.actual, session.device.precision) == ("RKNPU", "CPU", "f32")
    assert "an NPU of Rockchip was asked for" in session.device.fallback
    with session.run({"image": rows(7, 8)}) as outputs:
        np.testing.assert_array_equal(outputs["m"], [[7] * 3, [8] * 3])
    session.close()


def test_the_missing_package_is_named(board, graph, monkeypatch):
    monkeypatch.setitem(sys.modules, "rknnlite", None)
    with pytest.raises(RuntimeMissingError, match="pip install rknn-toolkit-lite2, on the board itself"):
        rknn.open_session(settings(graph))


def test_a_single_core_never_gets_a_mask(lite, board, graph):
    board({**RK3566})
    session = rknn.open_session(settings(graph))
    assert [context.mask for context in lite.made] == ["not given"]
    assert session.device.actual.startswith("RK3566 NPU")
    session.close()


@pytest.mark.parametrize("sdk", [None, "", "RKNN VERSION: unknown"])
def test_a_runtime_that_does_not_tell_its_version_is_used(lite, board, graph, monkeypatch, sdk):
    monkeypatch.setattr(lite, "sdk", sdk)
    assert rknn.open_session(settings(graph)).device.actual == "RK3588 NPU"


def damaged(folder):
    (folder / "conversion.json").write_text("{")


def of_another_graph(folder):
    model = onnx.load(str(folder.parent / "model.onnx"))
    model.doc_string = "newer"
    onnx.save_model(model, str(folder.parent / "model.onnx"))


def of_another_target(folder):
    text = (folder / "conversion.json").read_text()
    (folder / "conversion.json").write_text(text.replace("rk3588", "rk3568"))


def of_another_release(folder):
    (folder / "conversion.json").write_text('{"target": "rk3588"}')


def not_there(folder):
    (folder / "conversion.json").unlink()


def half_copied(folder):
    (folder / "model.rknn").unlink()
    (folder / TAIL).unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (damaged, r"rk3588/conversion\.json is damaged"),
        (of_another_graph, "rk3588 was converted from another graph"),
        (of_another_target, "rk3588 holds a conversion for rk3568"),
        (of_another_release, "is of another release"),
        (not_there, "there is no conversion for rk3588"),
        (half_copied, r"rk3588 has no model\.rknn and no tail\.onnx"),
    ],
)
def test_a_conversion_that_is_not_of_this_graph_is_refused(lite, board, graph, spoil, words):
    """With a fallback allowed too: it is the files that are wrong, not the device."""
    spoil(graph.parent / "rk3588")
    for more in ({}, {"allow_fallback": "true"}):
        with pytest.raises(ConfigError, match=rf"{words}.*run `triptych models convert --target rk3588`"):
            rknn.open_session(settings(graph, **more))


@pytest.mark.parametrize(
    ("soc", "parameters", "masks"),
    [
        ("rk3588", {}, (0, 0, 0)),
        ("rk3576", {}, (0, 0)),
        ("rk3568", {}, (None,)),
        ("rk3566", {"contexts": "2", "core_mask": "auto"}, (None, None)),
        ("rk3588", {"core_mask": "per_core", "contexts": "4"}, (1, 2, 4, 1)),
        ("rk3576", {"core_mask": "per_core"}, (1, 2)),
        ("rk3588", {"core_mask": "all"}, (7,)),
        ("rk3576", {"core_mask": "ALL", "contexts": "2"}, (3, 3)),
    ],
)
def test_contexts_and_cores_follow_from_the_soc(tmp_path, soc, parameters, masks):
    assert RknnOptions.from_settings(settings(tmp_path, **parameters), soc).masks == masks


@pytest.mark.parametrize(
    ("soc", "parameters", "words"),
    [
        ("rk3566", {"core_mask": "per_core"}, "RK3566 has one NPU core; remove the parameter"),
        ("rk3568", {"core_mask": "all"}, "RK3568 has one NPU core"),
        ("rk3588", {"core_mask": "2"}, "core_mask is '2'; expected one of auto, per_core, all"),
        ("rk3588", {"contexts": "0"}, "contexts is 0; expected 1 to 16"),
        ("rk3588", {"contexts": "many"}, "contexts is 'many'"),
        ("rk3588", {"threads": "2"}, "does not know parameter threads; it knows allow_fallback, contexts, core_mask"),
    ],
)
def test_wrong_parameters_are_refused(tmp_path, soc, parameters, words):
    with pytest.raises(ConfigError, match=words):
        RknnOptions.from_settings(settings(tmp_path, **parameters), soc)
