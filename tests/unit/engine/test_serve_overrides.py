"""What `triptych serve` makes of its options for devices, and of the environment's."""

import pytest

from triptych.cli.console import CommandError
from triptych.cli.serve_overrides import chosen_overrides
from triptych_server.configs.overrides import Overrides
from triptych_server.configs.read import parameters_of, profile_config
from triptych_server.engine.options import EngineOptions
from triptych_server.repository import Repository

IMMICH = Overrides(device_ids=(3,), parameters={"onnxruntime": {"intra_op_thread_count": "2"}})


def chosen(profile, device_ids=None, place=(), target_device=None):
    return chosen_overrides(EngineOptions(Repository.locate(), profile), IMMICH, device_ids, list(place), target_device)


def test_options_go_before_the_environment():
    assert chosen("cuda") == IMMICH
    assert chosen("cuda", "0, 1", ["clip_visual=2", "face_detection=0,1"]) == Overrides(
        (0, 1), {"clip_visual": (2,), "face_detection": (0, 1)}, IMMICH.parameters
    )


def test_devices_of_the_environment_mean_nothing_without_a_gpu(capsys):
    assert chosen("cpu") == Overrides(parameters=IMMICH.parameters)
    assert "MACHINE_LEARNING_DEVICE_IDS has no effect: the profile cpu uses no GPU" in capsys.readouterr().err


def test_openvinos_device_is_chosen_at_the_start():
    found = chosen("openvino", target_device="GPU")
    assert found.parameters == {**IMMICH.parameters, "openvino": {"TARGET_DEVICE": "GPU"}}
    assert found.device_ids == (3,)  # of the GPUs that are now asked for
    visual = found.applied(profile_config(Repository.locate().model("clip_visual"), "openvino"))
    assert parameters_of(visual)["TARGET_DEVICE"] == "GPU.3"
    with pytest.raises(CommandError, match="no model of the profile cuda runs in OpenVINO"):
        chosen("cuda", target_device="GPU")


@pytest.mark.parametrize(
    ("device_ids", "place", "message"),
    [
        ("0,x", [], "--device-ids is '0,x'; expected device numbers"),
        ("", [], "--device-ids is ''; expected device numbers"),
        (None, ["clip_visual"], "--place clip_visual is ''; expected device numbers"),
        (None, ["clip_visual=0", "clip_visual=1"], "--place clip_visual is given twice; name all of its devices in one: clip_visual=0,1"),
    ],
)
def test_what_cannot_be_is_an_error(device_ids, place, message):
    with pytest.raises(CommandError, match=message):
        chosen("cuda", device_ids, place)
