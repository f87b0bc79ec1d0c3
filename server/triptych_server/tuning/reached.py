"""What a load does to the models below its target: which of them it reaches, and the largest batch that each is sent."""

from collections.abc import Mapping, Sequence

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.benchmark.triton_stats import TritonStats
from triptych_server.configs.read import parameters_of
from triptych_server.tuning.load import Inputs, Load, measure

PROBE = Load(in_flight=2, seconds=1.0, warm_up=0.0)


def reached(url: str, metrics_url: str, target: str, requests: Sequence[Inputs]) -> dict[str, bool]:
    """The models that these requests reach, and whether batches are made by a queue of ours there (else by Triton's own)."""
    before = TritonStats.read_settled(url, metrics_url)
    measure(url, target, requests, PROBE)
    after = TritonStats.read_settled(url, metrics_url)
    return {name: name in (after.queues or {}) for name in before.until(after)}


def least_batch(configs: Mapping[str, ModelConfig], name: str) -> int:
    """The largest batch that its callers send a model: an ensemble's, and the chunks of a Python model."""
    callers = [config for config in configs.values() if name in {step.model_name for step in config.ensemble_scheduling.step}]
    chunks = [parameters_of(config) for config in configs.values() if parameters_of(config).get("recognition_model") == name]
    return max((*(config.max_batch_size for config in callers), *(int(each["recognition_batch"]) for each in chunks)), default=1)
