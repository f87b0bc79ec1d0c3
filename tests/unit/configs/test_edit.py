"""Editing a config that was written by hand."""

import pytest

from triptych_server.configs.edit import edit_config, edit_tuned, set_dims, set_parameter
from triptych_server.configs.read import parameters_of, parse_config
from triptych_server.errors import ConfigError

TEXT = """\
# what it is
name: "net"
input [ { name: "image" data_type: TYPE_UINT8 dims: [ 224, 224, 3 ] } ]  # pixels
output [
  { name: "embedding" data_type: TYPE_FP32 dims: [ 512 ] },
  { name: "other" data_type: TYPE_FP32 dims: [ 7 ] }
]
parameters { key: "size" value { string_value: "224" } }  # S
parameters {
  key: "mode",
  value: { string_value: "shortest" }
}
"""


def test_dims_and_parameters_change_and_comments_stay(tmp_path):
    file = tmp_path / "config.pbtxt"
    file.write_text(TEXT)
    text = edit_config(file, dims={"image": [384, 384, 3], "embedding": [1152]}, parameters={"size": "384", "mode": "squash"})
    config = parse_config(text, "net")
    assert [list(io.dims) for io in (*config.input, *config.output)] == [[384, 384, 3], [1152], [7]]
    assert parameters_of(config) == {"size": "384", "mode": "squash"}
    assert text.replace("384", "224").replace("1152", "512").replace("squash", "shortest") == TEXT


def test_what_is_not_there_cannot_be_set():
    with pytest.raises(ConfigError, match="no dims of pixels to set"):
        set_dims(TEXT, "pixels", [1])
    with pytest.raises(ConfigError, match="no parameter scale to set"):
        set_parameter(TEXT, "scale", "1")


def test_a_value_that_breaks_the_config_is_refused(tmp_path):
    file = tmp_path / "config.pbtxt"
    file.write_text(TEXT)
    with pytest.raises(ConfigError):
        edit_config(file, dims={}, parameters={"size": 'x" } broken'})


TUNED = """\
# Tuned on this machine.
name: "net"
max_batch_size: 4
input { name: "image" data_type: TYPE_UINT8 dims: 8 dims: 8 dims: 3 }
output { name: "embedding" data_type: TYPE_FP32 dims: 512 }
optimization { execution_accelerators { gpu_execution_accelerator {
  name: "tensorrt"
  parameters { key: "trt_profile_min_shapes" value: "image:1x8x8x3" }
  parameters { key: "trt_profile_opt_shapes" value: "image:2x8x8x3" }
  parameters { key: "trt_profile_max_shapes" value: "image:4x8x8x3" }
} } }
parameters { key: "size" value { string_value: "8" } }
parameters { key: "intra_op_thread_count" value { string_value: "3" } }
"""


def test_a_tuned_config_follows_the_model(tmp_path):
    file = tmp_path / "tuned.pbtxt"
    file.write_text(TUNED)
    text = edit_tuned(file, dims={"image": [16, 16, 3], "other": [1]}, parameters={"size": "16", "mode": "squash"})
    config = parse_config(text, "tuned")
    assert text.startswith("# Tuned on this machine.\n")
    assert [list(io.dims) for io in (*config.input, *config.output)] == [[16, 16, 3], [512]]
    assert parameters_of(config) == {"size": "16", "intra_op_thread_count": "3"}
    (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.parameters["trt_profile_max_shapes"] == "image:4x16x16x3"
    assert [list(each.inputs["image"].dims) for each in config.model_warmup] == [[16, 16, 3]] * 2


def test_a_tuned_config_that_fits_stays_as_it_is(tmp_path):
    file = tmp_path / "tuned.pbtxt"
    file.write_text(TUNED)
    assert edit_tuned(file, dims={"image": [8, 8, 3]}, parameters={"size": "8"}) == TUNED
