"""What may be turned in a model's config, by its backend: each knob with its values and how one is set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from triptych_server.configs.derive import derive
from triptych_server.configs.read import parameters_of

Value = str | int
Point = Mapping[str, Value]
"""One value for each knob, by its name."""

DELAYS_US = (0, 200, 500, 1000, 2000, 5000)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
PYTHON = "python"


@dataclass(frozen=True, slots=True)
class Knob:
    """`values` in their natural order, so that a neighbour is a small step; `turn` sets one in a config."""

    name: str
    values: Sequence[Value]
    turn: Callable[[ModelConfig, Value], None]


def knobs_for(config: ModelConfig, cores: int, *, least_batch: int = 1, precisions: Sequence[str] = ()) -> list[Knob]:
    """The knobs of a model. `least_batch` is what its ensembles send at once; `precisions` are those that may be tried, none by default,
    for they change the answers."""
    knobs = [_delay()] if config.HasField("dynamic_batching") and config.backend != PYTHON else []  # those take one request at a time
    if config.max_batch_size:
        sizes = [size for size in BATCHES if least_batch <= size]
        knobs.append(Knob("max_batch_size", sizes, _set_max_batch))
    on_gpu = any(group.kind == ModelInstanceGroup.KIND_GPU for group in config.instance_group)
    if config.backend == PYTHON:
        return [*knobs, Knob("instances", _powers(1, 2 * cores), _set_instances)]
    knobs.append(Knob("instances", (1, 2), _set_instances))  # each is a copy of the weights
    if config.backend == "openvino":
        knobs.append(Knob("hint", ("LATENCY", "THROUGHPUT", *(f"streams={count}" for count in _powers(1, cores))), _set_hint))
        knobs.append(Knob("threads", (0, *_powers(1, cores)), _set_openvino_threads))
        if precisions:
            knobs.append(Knob("precision", tuple(precisions), _set_openvino_precision))
    elif config.backend == "onnxruntime" and not on_gpu:
        knobs.append(Knob("threads", (0, *_powers(1, cores)), _parameter("intra_op_thread_count")))
        knobs.append(Knob("memory_pattern", ("true", "false"), _parameter("enable_mem_pattern")))
    return knobs


def turned(config: ModelConfig, knobs: Sequence[Knob], point: Point) -> ModelConfig:
    """A copy of the config with each knob at its value in `point`, and what follows from them; those that it lacks stay as they are."""
    copy = ModelConfig()
    copy.CopyFrom(config)
    for knob in knobs:
        if knob.name in point:
            knob.turn(copy, point[knob.name])
    return derive(copy)


def _powers(low: int, high: int) -> tuple[int, ...]:
    """Powers of two from low to high, and high itself."""
    found = [low]
    while found[-1] * 2 <= high:
        found.append(found[-1] * 2)
    return tuple(dict.fromkeys([*found, high]))


def _delay() -> Knob:
    def turn(config: ModelConfig, value: Value) -> None:
        config.dynamic_batching.max_queue_delay_microseconds = int(value)

    return Knob("queue_delay_us", DELAYS_US, turn)


def _set_max_batch(config: ModelConfig, value: Value) -> None:
    config.max_batch_size = int(value)
    config.dynamic_batching.preferred_batch_size[:] = [size for size in config.dynamic_batching.preferred_batch_size if size <= int(value)]


def _set_instances(config: ModelConfig, value: Value) -> None:
    for group in config.instance_group:
        group.count = int(value)


def _parameter(key: str) -> Callable[[ModelConfig, Value], None]:
    def turn(config: ModelConfig, value: Value) -> None:
        config.parameters[key].string_value = str(value)

    return turn


def _set_hint(config: ModelConfig, value: Value) -> None:
    """A hint, or a number of streams: OpenVINO takes one of them."""
    _drop(config, "PERFORMANCE_HINT", "NUM_STREAMS", "PERFORMANCE_HINT_NUM_REQUESTS")
    key, _, streams = str(value).partition("=")
    config.parameters["NUM_STREAMS" if streams else "PERFORMANCE_HINT"].string_value = streams or key


def _set_openvino_threads(config: ModelConfig, value: Value) -> None:
    """0 leaves it to OpenVINO."""
    _drop(config, "INFERENCE_NUM_THREADS")
    if int(value):
        config.parameters["INFERENCE_NUM_THREADS"].string_value = str(value)


def _set_openvino_precision(config: ModelConfig, value: Value) -> None:
    config.parameters["INFERENCE_PRECISION_HINT"].string_value = str(value)


def _drop(config: ModelConfig, *keys: str) -> None:
    for key in keys:
        if key in parameters_of(config):
            del config.parameters[key]
