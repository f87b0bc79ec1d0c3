"""What a rendered config says because of the model's own dims and batch: shapes that engines are built for, and warm-ups.

A fragment in `profiles/` is for every model, so it cannot hold these; what it does say stays as it is.
"""

from collections.abc import Iterable

from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelWarmup

COMPILING = ("tensorrt", "migraphx")
"""Accelerators that compile a graph for its shapes."""
SHAPES = ("trt_profile_min_shapes", "trt_profile_opt_shapes", "trt_profile_max_shapes")
STATIC_BATCHES = "static_batches"
"""The parameter that names the batches to compile for, where each has an engine of its own."""
STATIC_MIDDLE = 8
"""For runtimes that compile for each batch: one picture at once for whoever waits, and this many for bulk; each takes minutes."""


def derive(config: ModelConfig) -> ModelConfig:
    """A copy of a merged config with what follows from it: TensorRT's shape profiles (batches of one to max_batch_size, tuned for the
    largest preferred one) where it has no static batches, MIGraphX's static batches, and for both a warm-up of each batch before the
    model is ready."""
    derived = ModelConfig()
    derived.CopyFrom(config)
    most = max(1, config.max_batch_size)
    for accelerator in derived.optimization.execution_accelerators.gpu_execution_accelerator:
        if accelerator.name == "tensorrt" and STATIC_BATCHES not in config.parameters:
            tuned = max(config.dynamic_batching.preferred_batch_size, default=most)
            if not any(key in accelerator.parameters for key in SHAPES):  # TensorRT wants all three, or none
                for key, batch in zip(SHAPES, (1, tuned, most), strict=True):
                    accelerator.parameters[key] = ",".join(f"{each.name}:{_shape(batch, each.dims)}" for each in config.input)
            _warm(derived, {1, tuned, most})
        elif accelerator.name in COMPILING:
            if STATIC_BATCHES not in config.parameters:
                sizes = sorted({1, min(STATIC_MIDDLE, most), most})
                derived.parameters[STATIC_BATCHES].string_value = ",".join(map(str, sizes))
            parts = derived.parameters[STATIC_BATCHES].string_value.split(",")
            _warm(derived, {int(part) for part in parts if part.strip().isdecimal()})  # the session says what is wrong with others
    return derived


def without_derived(config: ModelConfig) -> ModelConfig:
    """A copy without shape profiles and warm-ups, to be derived anew where dims have changed."""
    plain = ModelConfig()
    plain.CopyFrom(config)
    for accelerator in plain.optimization.execution_accelerators.gpu_execution_accelerator:
        for key in SHAPES:
            accelerator.parameters.pop(key, None)
    del plain.model_warmup[:]
    return plain


def _shape(batch: int, dims: Iterable[int]) -> str:
    return "x".join(map(str, [batch, *dims]))


def _warm(config: ModelConfig, batches: set[int]) -> None:
    """Requests of zeros that Triton runs before it calls the model ready, unless the config has its own."""
    if config.model_warmup:
        return
    for batch in sorted(batches):
        inputs = {each.name: ModelWarmup.Input(data_type=each.data_type, dims=each.dims, zero_data=True) for each in config.input}
        config.model_warmup.append(ModelWarmup(name=f"batch of {batch}", batch_size=batch, inputs=inputs))
