"""The configs that `python -m loadtest.auto_batching` compares."""

from pathlib import Path

import pytest

from loadtest.auto_batching import BASELINE, BATCH, NETWORK, PROFILE, variants
from tests.support.serving import CHECKOUT
from triptych_server.configs.read import parameters_of, profile_config
from triptych_server.sessions.openvino_options import CompileOptions
from triptych_server.sessions.parameters import SERVING_KEYS, Parameters
from triptych_server.sessions.protocol import SessionSettings

PLAIN = profile_config(CHECKOUT.model(NETWORK), PROFILE)
VARIANTS = variants(cores=4)


def options(name):
    config = VARIANTS[name].config(PLAIN, name)
    return config, CompileOptions.from_settings(
        SessionSettings(name, Path("g.onnx"), parameters=Parameters(parameters_of(config)).without(*SERVING_KEYS))
    )


def test_the_baseline_is_the_profile():
    config, _ = options(BASELINE)
    config.name = PLAIN.name
    assert config == PLAIN


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_a_config_that_the_backend_takes(name):
    config, taken = options(name)
    assert config.name == name
    assert taken.auto_batch == (BATCH if "BATCH" in taken.device else 0)
    assert config.HasField("dynamic_batching") == VARIANTS[name].triton_batches


def test_streams_are_compared_with_instances_of_as_many_cores():
    streams, _ = options("two_streams")
    instances, _ = options("two_instances")
    assert (streams.instance_group[0].count, parameters_of(streams)["NUM_STREAMS"]) == (1, "2")
    assert (instances.instance_group[0].count, parameters_of(instances)["INFERENCE_NUM_THREADS"]) == (2, "2")
