"""Editing a config that was written by hand."""

import pytest

from triptych_server.configs.edit import edit_config, set_dims, set_parameter
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
