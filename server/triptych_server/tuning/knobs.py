"""What may be turned in a model's config, by what serves it: each knob with its values and how one is set.

Only what was seen to have an effect is here (docs/performance.md). Triton's queue delay is one before queues of ours as well: requests that
it held back together come together and run as one batch; a preferred size ends the waiting earlier.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from triptych_server.configs.derive import derive
from triptych_server.engine.servable import CALLED_BY_PARAMETER
from triptych_server.tuning import turns
from triptych_server.tuning.turns import Turn, Value

Point = Mapping[str, Value]
"""One value for each knob, by its name."""

DELAYS_US = (0, 200, 1000, 2000, 5000, 10_000, 20_000)
PREFERRED = (0, 4, 8, 16)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
PYTHON = "python"


@dataclass(frozen=True, slots=True)
class Knob:
    """`values` in their natural order, so that a neighbour is a small step; `turn` sets one in a config."""

    name: str
    values: Sequence[Value]
    turn: Turn


def knobs_for(config: ModelConfig, cores: int, *, native: bool = False, least_batch: int = 1, precisions: Sequence[str] = ()) -> list[Knob]:
    """The knobs of a model. `native`: Triton's own backend serves it; `least_batch` is what its callers send at once; `precisions` are
    those that may be tried, none by default, for they change the answers."""
    batches = Knob("max_batch_size", [size for size in BATCHES if least_batch <= size], turns.max_batch)
    if config.backend == PYTHON:
        return _python_knobs(config, cores, batches)
    knobs = [batches] if config.max_batch_size else []
    if config.HasField("dynamic_batching"):
        knobs.append(Knob("queue_delay_us", DELAYS_US, turns.queue_delay))
        knobs.append(Knob("preferred_batch", PREFERRED, turns.preferred_batch))
    knobs.append(Knob("instances", (1, 2), turns.instances))  # each is a copy of the weights
    if config.backend == "openvino":
        knobs.append(Knob("hint", ("LATENCY", "THROUGHPUT", *(f"streams={count}" for count in _powers(1, cores))), turns.openvino_hint))
        knobs.append(Knob("threads", (0, *_powers(1, cores)), turns.openvino_threads))
        if precisions:
            knobs.append(Knob("precision", tuple(precisions), turns.parameter("INFERENCE_PRECISION_HINT")))
    elif config.backend == "onnxruntime" and not _is_accelerated(config):
        knobs.append(Knob("threads", (0, *_powers(1, cores)), turns.parameter("intra_op_thread_count")))
    elif any(each.name == "tensorrt" for each in config.optimization.execution_accelerators.gpu_execution_accelerator):
        if not native:
            knobs.append(Knob("engine", turns.ENGINES, turns.tensorrt_engine))
        if possible := [each for each in precisions if each in turns.TENSORRT_PRECISIONS]:
            knobs.append(Knob("precision", tuple(possible), turns.tensorrt_precision))
    return knobs


def turned(config: ModelConfig, knobs: Sequence[Knob], point: Point) -> ModelConfig:
    """A copy of the config with each knob at its value in `point`, and what follows from them; those that it lacks stay as they are."""
    copy = ModelConfig()
    copy.CopyFrom(config)
    for knob in knobs:
        if knob.name in point:
            knob.turn(copy, point[knob.name])
    return derive(copy)


def _python_knobs(config: ModelConfig, cores: int, batches: Knob) -> list[Knob]:
    """Processes, and threads where it has them. A batch is made only by those that gather rows for another model: the others take
    one request at a time."""
    knobs = [batches] if any(key in config.parameters for key in CALLED_BY_PARAMETER) else []
    knobs.append(Knob("instances", _powers(1, 2 * cores), turns.instances))
    if "threads" in config.parameters:
        knobs.append(Knob("threads", _powers(1, 2 * cores), turns.parameter("threads")))
    return knobs


def _is_accelerated(config: ModelConfig) -> bool:
    on_gpu = any(group.kind == ModelInstanceGroup.KIND_GPU for group in config.instance_group)
    return on_gpu or bool(config.optimization.execution_accelerators.gpu_execution_accelerator)


def _powers(low: int, high: int) -> tuple[int, ...]:
    """Powers of two from low to high, and high itself."""
    found = [low]
    while found[-1] * 2 <= high:
        found.append(found[-1] * 2)
    return tuple(dict.fromkeys([*found, high]))
