"""The RKNN session over a fake of Rockchip's runtime (tests/support/fake_rknnlite.py): the fake, a board, a graph with its conversions."""

import sys
from types import ModuleType

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.support import boards, fake_rknnlite
from tests.support.graphs import write_graph
from triptych_server.hardware.tree import Tree
from triptych_server.models.convert.record import TAIL, Conversion, Tensor, graph_hash
from triptych_server.sessions import rknn


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
