"""Which parameters the accelerators and backends of a model config take: plain tables, for the sessions and for the linter of configs.

Names of providers' options are those in the libraries of onnxruntime-gpu 1.31.1 and onnxruntime-migraphx 1.27.1, without the ones that
carry addresses of memory or functions of a program (streams, allocators, models as bytes): a config file cannot mean those. `device_id` is
missing everywhere because the instance group sets it.
"""

from collections.abc import Iterable

from triptych_server.sessions.parameters import SERVING_KEYS

CUDA = frozenset(
    {
        "arena_extend_strategy",
        "cudnn_conv1d_pad_to_nc1d",
        "cudnn_conv_algo_search",
        "cudnn_conv_use_max_workspace",
        "do_copy_in_default_stream",
        "enable_cuda_graph",
        "enable_cudnn",
        "enable_skip_layer_norm_strict_mode",
        "fuse_conv_bias",
        "gpu_mem_limit",
        "prefer_nhwc",
        "sdpa_kernel",
        "tunable_op_enable",
        "tunable_op_max_tuning_duration_ms",
        "tunable_op_tuning_enable",
        "use_ep_level_unified_stream",
        "use_tf32",
    }
)
"""`gpu_execution_accelerator` cuda: the options of CUDAExecutionProvider. Triton's native backend passes on whatever stands there."""

CUDA_BOOLEANS = frozenset({"do_copy_in_default_stream", "use_ep_level_unified_stream"})
"""Those that the native backend itself parses, as true, false, 1 or 0."""

CUDA_IN_PARAMETERS = {
    "cudnn_conv_algo_search": {"0": "EXHAUSTIVE", "1": "HEURISTIC", "2": "DEFAULT"},
    "arena_extend_strategy": {"0": "kNextPowerOfTwo", "1": "kSameAsRequested"},
    "do_copy_in_default_stream": {"1": "1", "0": "0"},
    "gpu_mem_limit": {},
}
"""Options of CUDA that the native backend also reads from a model's `parameters`, which is deprecated: what may stand there -> what the
provider gets (any number where nothing is listed), the default first. As soon as a model has any `parameters`, the native backend sets
these four anew from there, or else to their defaults, over what the accelerator says."""

TENSORRT_RENAMED = {
    "max_workspace_size_bytes": "trt_max_workspace_size",
    "int8_calibration_table_name": "trt_int8_calibration_table_name",
    "int8_use_native_calibration_table": "trt_int8_use_native_calibration_table",
}
"""Native names -> options of TensorrtExecutionProvider."""

TENSORRT_PRECISIONS = {"FP32": "", "FP16": "trt_fp16_enable", "BF16": "trt_bf16_enable", "INT8": "trt_int8_enable"}
"""Values of the native `precision_mode` -> the option that it switches on."""

TENSORRT_PASSED_ON = frozenset(
    {
        "trt_auxiliary_streams",
        "trt_build_heuristics_enable",
        "trt_builder_optimization_level",
        "trt_context_memory_sharing_enable",
        "trt_cuda_graph_enable",
        "trt_detailed_build_log",
        "trt_dla_core",
        "trt_dla_enable",
        "trt_dump_ep_context_model",
        "trt_dump_subgraphs",
        "trt_engine_cache_enable",
        "trt_engine_cache_path",
        "trt_engine_cache_prefix",
        "trt_ep_context_embed_mode",
        "trt_ep_context_file_path",
        "trt_extra_plugin_lib_paths",
        "trt_force_sequential_engine_build",
        "trt_force_timing_cache",
        "trt_layer_norm_fp32_fallback",
        "trt_max_partition_iterations",
        "trt_min_subgraph_size",
        "trt_profile_max_shapes",
        "trt_profile_min_shapes",
        "trt_profile_opt_shapes",
        "trt_sparsity_enable",
        "trt_tactic_sources",
        "trt_timing_cache_enable",
        "trt_timing_cache_path",
    }
)
"""Options of TensorrtExecutionProvider that the native backend passes on under the same name."""

TENSORRT_NATIVE = TENSORRT_PASSED_ON | TENSORRT_RENAMED.keys() | {"precision_mode"}
"""`gpu_execution_accelerator` tensorrt: all that the native backend takes. With any other key it does not load the model."""

TENSORRT_OURS = frozenset(
    {
        "trt_engine_decryption_enable",
        "trt_engine_decryption_lib_path",
        "trt_engine_hw_compatible",
        "trt_load_user_initializer",
        "trt_onnx_model_folder_path",
        "trt_op_types_to_exclude",
        "trt_preview_features",
        "trt_weight_stripped_engine_enable",
    }
)
"""Further options of TensorrtExecutionProvider, which only our backend passes on."""

MIGRAPHX = frozenset(
    {
        "migraphx_arena_extend_strategy",
        "migraphx_bf16_enable",
        "migraphx_exhaustive_tune",
        "migraphx_fp16_enable",
        "migraphx_fp8_enable",
        "migraphx_int8_calibration_table_name",
        "migraphx_int8_enable",
        "migraphx_int8_use_native_calibration_table",
        "migraphx_mem_limit",
        "migraphx_model_cache_dir",
    }
)
"""`gpu_execution_accelerator` migraphx: the options of MIGraphXExecutionProvider. The native backend has it in AMD's builds only."""

ONNXRUNTIME = frozenset(
    {
        "intra_op_thread_count",
        "inter_op_thread_count",
        "execution_mode",
        "enable_mem_arena",
        "enable_mem_pattern",
        "memory.enable_memory_arena_shrinkage",
        "session.use_device_allocator_for_initializers",
    }
)
"""`parameters` that the native onnxruntime backend and ours take, besides CUDA_IN_PARAMETERS; the native one ignores any other key."""

ONNXRUNTIME_NATIVE_ONLY = frozenset({"share_session_between_instances"})
"""A `parameters` key that says nothing to ours, whose instances are processes."""

OPENVINO_NATIVE = frozenset(
    {
        "COMPILATION_NUM_THREADS",
        "CPU_EXTENSION_PATH",
        "ENABLE_BATCH_PADDING",
        "HINT_BF16",
        "INFERENCE_NUM_THREADS",
        "NUM_STREAMS",
        "PERFORMANCE_HINT",
        "RESHAPE_IO_LAYERS",
        "SKIP_OV_DYNAMIC_BATCHSIZE",
        "TARGET_DEVICE",
    }
)
"""`parameters` that the native openvino backend reads (TARGET_DEVICE since 25.10); it ignores any other key."""

NATIVELY = {"openvino": OPENVINO_NATIVE, "onnxruntime": ONNXRUNTIME | CUDA_IN_PARAMETERS.keys()}
"""By backend, what Triton's own of that name reads."""

HARMLESS_NATIVELY = frozenset({"allow_fallback", "static_batches", "device_ids"})
"""`parameters` of our backends that a native one may ignore: the answers stay the same."""


def ignored_natively(backend: str, given: Iterable[str]) -> frozenset[str]:
    """Those of the `parameters` that mean something to our backend, and that Triton's own of that name would ignore without a word."""
    return frozenset(given) - NATIVELY[backend] - HARMLESS_NATIVELY - SERVING_KEYS if backend in NATIVELY else frozenset()
