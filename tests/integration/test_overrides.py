"""What a start lays over the configs reaches the real Triton, and stays through a change of models; a GPU that is not there is named."""

import pytest
import tritonclient.grpc as triton_grpc

from loadtest.random_clip import random_clip, tiny_shape
from tests.support.serving import CHECKOUT, serving
from triptych import Client
from triptych_server.configs.overrides import Overrides
from triptych_server.errors import EngineError
from triptych_server.models.any_folder import use_any


def threads(engine, model):
    client = triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://"))
    return client.get_model_config(model).config.parameters["INFERENCE_NUM_THREADS"].string_value


def test_parameters_are_laid_over_and_stay(tmp_path):
    repository = CHECKOUT.copy_to(tmp_path / "repository")
    use_any(CHECKOUT.demo_weights, repository)
    overrides = Overrides(parameters={"openvino": {"INFERENCE_NUM_THREADS": "1"}})
    with serving(repository, tmp_path, profile="openvino", overrides=overrides) as engine:
        assert threads(engine, "clip_visual") == threads(engine, "clip_textual") == "1"
        use_any(random_clip(tmp_path, tiny_shape(), seed=1), repository)
        assert threads(engine, "clip_visual") == "1"
        with Client(engine.grpc_url) as client:
            assert client.embed_text("a dog").shape == (tiny_shape().embed_dim,)
    assert "INFERENCE_NUM_THREADS" not in (repository.model("clip_visual") / "configs" / "openvino.pbtxt").read_text()


def test_a_gpu_that_is_not_there_is_named(tmp_path):
    """This machine has none: Triton itself refuses the instance."""
    repository = CHECKOUT.copy_to(tmp_path / "repository")
    use_any(CHECKOUT.demo_weights, repository)
    with (
        pytest.raises(EngineError, match=r"(?s)clip_visual could not be loaded: .*GPU"),
        serving(repository, tmp_path, profile="cuda", overrides=Overrides(place={"clip_visual": (3,)})),
    ):
        pytest.fail("it must not start")
