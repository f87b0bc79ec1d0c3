"""The RKNN session over a fake of Rockchip's runtime (tests/support/fake_rknnlite.py): a conversion that does not fit the graph is refused."""

import onnx
import pytest

from tests.support.rknn_session import settings
from triptych_server.errors import ConfigError
from triptych_server.models.convert.record import TAIL
from triptych_server.sessions import rknn


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
