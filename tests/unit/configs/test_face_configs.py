"""The configs of the face models belong together: batches, dims, limits, and the traps of Triton's ensembles."""

import pytest

from tests.support.serving import CHECKOUT
from triptych_server.configs.read import read_config

STEPS = ("face_preprocess", "photo_preprocess", "face_embed")
ENSEMBLES = ("faces", "photo")


def config(name):
    return read_config(CHECKOUT.model(name) / "config.pbtxt")


def parameter(name, key):
    return config(name).parameters[key].string_value


def dims(name, tensor):
    return next(list(io.dims) for io in config(name).output if io.name == tensor)


def test_a_call_for_recognition_fits_its_batch():
    model = parameter("face_embed", "recognition_model")
    assert 1 <= int(parameter("face_embed", "recognition_batch")) <= config(model).max_batch_size


def test_every_config_has_the_recognisers_length():
    length = dims(parameter("face_embed", "recognition_model"), "embedding")
    for name in ("face_embed", *ENSEMBLES):
        assert dims(name, "embeddings") == [-1, *length]


def test_photo_is_prepared_as_search_and_faces_are():
    for key in ("size", "resize_mode", "interpolation", "decode", "max_pixels", "max_bytes"):
        assert parameter("photo_preprocess", key) == parameter("clip_preprocess", key)
    for key in ("decode", "max_pixels", "max_bytes"):
        assert parameter("face_preprocess", key) == parameter("face_embed", key) == parameter("photo_preprocess", key)
    assert dims("photo_preprocess", "pixels") == dims("clip_preprocess", "pixels")


@pytest.mark.parametrize("name", STEPS)
def test_every_queue_is_bounded_and_no_model_that_asks_another_is_warmed_up(name):
    assert int(parameter(name, "max_waiting")) > 0
    assert not config(name).model_warmup


@pytest.mark.parametrize("name", ENSEMBLES)
def test_steps_can_be_left_out_without_triton_losing_count(name):
    """Triton 2.51 says "unexpected deadlock" otherwise: see python_models/face_preprocess/config.pbtxt."""
    ensemble = config(name)
    first, *rest = ensemble.ensemble_scheduling.step
    outputs = {io.name for io in ensemble.output}
    assert {io.name for io in ensemble.input} == set(first.input_map.values())
    for step in rest:
        assert not outputs & set(step.input_map.values()), step.model_name


@pytest.mark.parametrize("name", [folder.name for folder in CHECKOUT.models() if folder.parent.name == "ensembles"])
def test_no_two_steps_become_ready_at_once(name):
    """Triton before 26.05 crashes or hangs when one of them fails, is refused or cancelled: see tests/e2e/test_gone_clients.py."""
    ensemble = config(name)
    known, waiting = {io.name for io in ensemble.input}, list(ensemble.ensemble_scheduling.step)
    while waiting:
        ready = [step for step in waiting if known.issuperset(step.input_map.values())]
        assert [step.model_name for step in ready] == [waiting[0].model_name]
        known |= set(waiting.pop(0).output_map.values())
