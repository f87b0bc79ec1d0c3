"""The RKNN session over a fake of Rockchip's runtime (tests/support/fake_rknnlite.py): what a board, a driver or a package lacks is told."""

import sys

import numpy as np
import pytest

from tests.support import boards
from tests.support.rknn_session import RK3566, rows, settings
from triptych_server.errors import DeviceError, RuntimeMissingError
from triptych_server.hardware.tree import Tree
from triptych_server.sessions import rknn


@pytest.mark.parametrize("answer", [None, [np.zeros((1, 5), np.float32)]])
def test_an_npu_that_takes_no_work_is_told_before_the_model_is_ready(lite, board, graph, answer):
    lite.fails["inference"] = answer
    with pytest.raises(DeviceError, match="net: the first run failed: the NPU gave "):
        rknn.open_session(settings(graph))
    assert all(context.released for context in lite.made)
    session = rknn.open_session(settings(graph, allow_fallback="true"))
    assert "the first run failed" in session.device.fallback
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
