"""How one value is set in a model's config: a knob's name for it is short, the config's often is several fields that must agree."""

from collections.abc import Callable

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.derive import COMPILING, STATIC_BATCHES, without_derived
from triptych_server.configs.read import parameters_of

Value = str | int
Turn = Callable[[ModelConfig, Value], None]

ENGINES = ("dynamic", "static", "static and one")
"""TensorRT's: one for all batches up to the largest; one of the largest alone, up to which batches are filled with zeros; or that and one
for a lone row."""
TENSORRT_PRECISIONS = {"f32": "FP32", "f16": "FP16", "bf16": "BF16"}


def queue_delay(config: ModelConfig, value: Value) -> None:
    """How long Triton holds a request back for others to join it, in microseconds."""
    config.dynamic_batching.max_queue_delay_microseconds = int(value)


def preferred_batch(config: ModelConfig, value: Value) -> None:
    """How many rows are enough for Triton to wait no longer, and what TensorRT is tuned for; 0: the largest batch."""
    _forget_shapes(config)
    config.dynamic_batching.preferred_batch_size[:] = [int(value)] if 0 < int(value) <= config.max_batch_size else []


def max_batch(config: ModelConfig, value: Value) -> None:
    """The largest batch; what follows from the old one is dropped, to be derived anew."""
    config.max_batch_size = int(value)
    config.dynamic_batching.preferred_batch_size[:] = [size for size in config.dynamic_batching.preferred_batch_size if size <= int(value)]
    _forget_shapes(config)


def instances(config: ModelConfig, value: Value) -> None:
    """How many processes."""
    for group in config.instance_group:
        group.count = int(value)


def parameter(key: str) -> Turn:
    """One of the model's `parameters`."""

    def turn(config: ModelConfig, value: Value) -> None:
        config.parameters[key].string_value = str(value)

    return turn


def openvino_hint(config: ModelConfig, value: Value) -> None:
    """A hint, or a number of streams: OpenVINO takes one of them."""
    _drop(config, "PERFORMANCE_HINT", "NUM_STREAMS", "PERFORMANCE_HINT_NUM_REQUESTS")
    key, _, streams = str(value).partition("=")
    config.parameters["NUM_STREAMS" if streams else "PERFORMANCE_HINT"].string_value = streams or key


def openvino_threads(config: ModelConfig, value: Value) -> None:
    """0 leaves it to OpenVINO."""
    _drop(config, "INFERENCE_NUM_THREADS")
    if int(value):
        config.parameters["INFERENCE_NUM_THREADS"].string_value = str(value)


def tensorrt_engine(config: ModelConfig, value: Value) -> None:
    """One of ENGINES, for the largest batch as it is now."""
    _forget_shapes(config)
    most = config.max_batch_size
    sizes = {ENGINES[0]: set[int](), ENGINES[1]: {most}, ENGINES[2]: {1, most}}[str(value)]
    if sizes:
        config.parameters[STATIC_BATCHES].string_value = ",".join(map(str, sorted(sizes)))


def tensorrt_precision(config: ModelConfig, value: Value) -> None:
    """Of what TensorRT may compute in."""
    _forget_shapes(config)
    for accelerator in config.optimization.execution_accelerators.gpu_execution_accelerator:
        accelerator.parameters["precision_mode"] = TENSORRT_PRECISIONS[str(value)]


def _forget_shapes(config: ModelConfig) -> None:
    """Where graphs are compiled for them: they are derived anew."""
    if any(each.name in COMPILING for each in config.optimization.execution_accelerators.gpu_execution_accelerator):
        config.CopyFrom(without_derived(config))
        _drop(config, STATIC_BATCHES)


def _drop(config: ModelConfig, *keys: str) -> None:
    for key in keys:
        if key in parameters_of(config):
            del config.parameters[key]
