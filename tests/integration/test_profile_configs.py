"""Every generated config in the real Triton: loaded on a CPU, or refused for the GPU that this machine does not have and for nothing else."""

from collections.abc import Iterator

import pytest
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from tests.support.serving import CHECKOUT, serving
from triptych_server.configs.profiles import profile_names
from triptych_server.configs.read import profile_config
from triptych_server.engine.control import ControlApi
from triptych_server.errors import EngineError
from triptych_server.models.any_folder import use_any
from triptych_server.repository import Repository

NETWORKS = sorted(folder.name for folder in CHECKOUT.networks.iterdir())
HERE = ("onnxruntime", "openvino")
"""Backends whose runtime takes the graphs as they are; the others are tested with what they convert."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Repository:
    """The demo's networks."""
    repository = CHECKOUT.copy_to(tmp_path_factory.mktemp("profiles") / "repository")
    use_any(CHECKOUT.demo_weights, repository)
    use_any(CHECKOUT.demo_faces, repository)
    return repository


@pytest.fixture(scope="module")
def control(repository, tmp_path_factory) -> Iterator[ControlApi]:
    with serving(repository, tmp_path_factory.mktemp("engine")) as engine:
        yield ControlApi(engine.http_url, engine.control_headers)


CONFIGS = [
    (profile, network)
    for profile in profile_names(CHECKOUT)
    for network in NETWORKS
    if profile_config(CHECKOUT.model(network), profile).backend in HERE
]


@pytest.mark.parametrize(("profile", "network"), CONFIGS, ids=map("-".join, CONFIGS))
def test_triton_takes_the_config(control, repository, profile, network):
    config = profile_config(repository.model(network), profile)
    if any(group.kind == ModelInstanceGroup.KIND_GPU for group in config.instance_group):
        with pytest.raises(EngineError, match="has kind KIND_GPU but no GPUs are available"):
            control.load(network, config)
        config = on_the_cpu(config)  # all the rest, with its queues, batches and warm-ups, must hold
    elif profile == "migraphx":  # our backend is reached, and it is our session that says what is missing
        with pytest.raises(EngineError, match=f"{network}: MIGraphXExecutionProvider was asked for, but this onnxruntime has only"):
            control.load(network, config)
        config = on_the_cpu(config)
    control.load(network, config)
    assert control.states()[network] == "READY"


def on_the_cpu(config: ModelConfig) -> ModelConfig:
    """The same for the hardware that is here; accelerators of GPUs mean nothing there."""
    changed = ModelConfig()
    changed.CopyFrom(config)
    for group in changed.instance_group:
        group.kind = ModelInstanceGroup.KIND_CPU
    accelerators = changed.optimization.execution_accelerators.gpu_execution_accelerator
    kept = [each for each in accelerators if each.name != "migraphx"]  # which means something on every kind
    del accelerators[:]
    accelerators.extend(kept)
    return changed
