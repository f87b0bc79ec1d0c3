"""With which config a model is loaded while the server runs: a change of the profile counts at once."""

import pytest

from tests.support.serving import add_model, empty_repository
from triptych_server.configs.overrides import Overrides
from triptych_server.engine.model_configs import ModelConfigs
from triptych_server.engine.running import new_note
from triptych_server.serving.instance import PROFILE_PARAMETER

IO = """
input [ { name: "x" data_type: TYPE_UINT8 dims: [ 4 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]
"""


@pytest.fixture
def configs(tmp_path):
    """Of a server that was started with `cpu`, and one thread for ONNX Runtime."""
    repository = empty_repository(tmp_path / "repository")
    folder = add_model(repository, "net", 'backend: "onnxruntime"' + IO)
    (folder / "configs").mkdir()
    (folder / "configs" / "openvino.pbtxt").write_text('name: "net" backend: "openvino"' + IO)
    note = new_note(tmp_path)
    try:
        yield ModelConfigs(repository, "cpu", Overrides(parameters={"onnxruntime": {"intra_op_thread_count": "1"}}), note)
    finally:
        note.remove()


def test_it_is_the_starts_with_what_was_laid_over_it(configs):
    config = configs.of("net")
    assert (configs.profile, config.backend) == ("cpu", "onnxruntime")
    assert config.parameters["intra_op_thread_count"].string_value == "1"
    assert configs.given("net") == config


def test_after_a_change_of_the_profile_it_is_the_new_ones(configs):
    configs.note.serving("http://127.0.0.1:1", {}, "cpu", configs.overrides)
    configs.note.now().serve_profile("openvino")
    assert (configs.profile, configs.of("net").backend) == ("openvino", "openvino")
    given = configs.given("net")
    assert (given.backend, given.parameters[PROFILE_PARAMETER].string_value) == ("openvino", "openvino")
