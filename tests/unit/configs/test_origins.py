"""`configs explain` and `configs diff`: where each field comes from, and what two profiles do not share."""

import pytest

from tests.support.serving import CHECKOUT
from triptych_server.configs.difference import Difference, differences
from triptych_server.configs.fields import flatten
from triptych_server.configs.origins import DERIVED, explain
from triptych_server.configs.profiles import profile_names, write_profiles
from triptych_server.configs.read import profile_config
from triptych_server.errors import ConfigError


@pytest.fixture
def copy(tmp_path):
    return CHECKOUT.copy_to(tmp_path / "copy")


def fields(explanation):
    return {each.field: each for each in explanation.fields}


def test_a_field_comes_from_the_last_file_that_sets_it(copy):
    own = copy.profiles / "openvino" / "clip_visual.pbtxt"
    own.parent.mkdir(exist_ok=True)
    own.write_text('# Title\nparameters { key: "TARGET_DEVICE" value { string_value: "GPU" } }  # it has one\n')
    write_profiles(copy)
    explanation = explain(copy, "clip_visual", "openvino")
    found = fields(explanation)
    assert explanation.file == "model_repository/clip_visual/configs/openvino.pbtxt"
    assert {name: each.value for name, each in found.items()} == flatten(profile_config(copy.model("clip_visual"), "openvino"))
    batch, hint, device = (found[name] for name in ("max_batch_size", "parameters[PERFORMANCE_HINT]", "parameters[TARGET_DEVICE]"))
    assert batch.source == "model_repository/clip_visual/config.pbtxt"
    assert batch.comment.startswith("past 16 a CPU gains nothing")
    assert (hint.source, hint.value) == ("profiles/openvino.pbtxt", "LATENCY")
    assert hint.comment.startswith("a lone request gets every core")
    assert (device.source, device.line, device.value, device.comment) == ("profiles/openvino/clip_visual.pbtxt", 2, "GPU", "it has one")


def test_what_follows_from_the_model_is_derived(copy):
    shapes = [each for each in explain(copy, "clip_visual", "tensorrt").fields if "trt_profile_" in each.field]
    assert len(shapes) == 3
    assert all(each.source == DERIVED and each.comment for each in shapes)


@pytest.mark.parametrize("profile", profile_names(CHECKOUT))
def test_every_field_of_every_model_has_a_source(profile):
    for folder in CHECKOUT.models():
        for each in explain(CHECKOUT, folder.name, profile).fields:
            assert each.source == DERIVED or (each.line > 0 and (CHECKOUT.root / each.source).is_file()), each


def test_a_field_that_was_changed_by_hand_is_from_the_generated_file_itself(copy):
    file = copy.networks / "clip_visual" / "configs" / "openvino.pbtxt"
    file.write_text(file.read_text().replace("max_batch_size: 16", "max_batch_size: 8"))
    found = fields(explain(copy, "clip_visual", "openvino"))["max_batch_size"]
    assert (found.value, found.source) == (8, "model_repository/clip_visual/configs/openvino.pbtxt")


def test_a_tuned_config_speaks_for_itself_and_models_without_one_for_the_plain_cpu(copy):
    folder = copy.networks / "clip_visual"
    (folder / "configs" / "mine.pbtxt").write_text((folder / "config.pbtxt").read_text().replace("16  #", "4  # measured:"))
    found = fields(explain(copy, "clip_visual", "mine"))["max_batch_size"]
    assert (found.value, found.source) == (4, "model_repository/clip_visual/configs/mine.pbtxt")
    assert found.comment.startswith("measured:")
    assert explain(copy, "faces", "mine").file == "ensembles/faces/config.pbtxt"


def test_unknown_names_are_errors_that_list_the_known():
    with pytest.raises(ConfigError, match="no model 'clip'; there are: .*clip_visual"):
        explain(CHECKOUT, "clip", "cpu")
    with pytest.raises(ConfigError, match="unknown profile 'cudo'; there are: cpu"):
        differences(CHECKOUT, "cpu", "cudo")


def test_differences_are_field_by_field_in_both_directions():
    found = differences(CHECKOUT, "cpu", "openvino", ["clip_visual", "faces"])
    assert {each.model for each in found} == {"clip_visual"}
    assert Difference("clip_visual", "backend", "onnxruntime", "openvino") in found
    assert Difference("clip_visual", "parameters[intra_op_thread_count]", "0", None) in found
    assert Difference("clip_visual", "parameters[TARGET_DEVICE]", None, "CPU") in found
    assert not any(each.field.startswith(("input", "output", "max_batch_size")) for each in found)
    assert differences(CHECKOUT, "openvino", "openvino") == []
