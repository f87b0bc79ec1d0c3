"""Rule: accelerators are known to the backend, with parameters that it takes and that do not contradict each other."""

from collections.abc import Iterator, Mapping

from triptych_server.configs.lint.finding import Finding
from triptych_server.configs.lint.subject import Everything, Subject
from triptych_server.configs.nearest import did_you_mean
from triptych_server.configs.read import OUR_RUNTIME
from triptych_server.sessions import accelerator_parameters as tables

GPU = "optimization.execution_accelerators.gpu_execution_accelerator"
CPU = "optimization.execution_accelerators.cpu_execution_accelerator"
TAKEN = {"cuda": tables.CUDA, "tensorrt": tables.TENSORRT_NATIVE | tables.TENSORRT_OURS, "migraphx": tables.MIGRAPHX}
OURS_ALONE = f'set runtime: "{OUR_RUNTIME}" to have our backend wherever it runs'

NEEDS = {
    "trt_engine_cache_path": "trt_engine_cache_enable",
    "trt_engine_cache_prefix": "trt_engine_cache_enable",
    "trt_timing_cache_path": "trt_timing_cache_enable",
    "trt_force_timing_cache": "trt_timing_cache_enable",
    "trt_dla_core": "trt_dla_enable",
    "trt_ep_context_file_path": "trt_dump_ep_context_model",
    "trt_engine_decryption_lib_path": "trt_engine_decryption_enable",
    "int8_use_native_calibration_table": "int8_calibration_table_name",
    "migraphx_int8_calibration_table_name": "migraphx_int8_enable",
    "migraphx_int8_use_native_calibration_table": "migraphx_int8_enable",
}
"""Parameters that say nothing without another one."""

SHAPES = ("trt_profile_min_shapes", "trt_profile_opt_shapes", "trt_profile_max_shapes")
PRECISIONS = ("migraphx_fp16_enable", "migraphx_bf16_enable", "migraphx_fp8_enable")
ON = {"1", "true"}


def accelerators(subject: Subject, everything: Everything) -> Iterator[Finding]:
    """What the native onnxruntime backend takes, and what only ours does, for CPUs and GPUs."""
    given = subject.config.optimization.execution_accelerators
    gpus = {each.name: dict(each.parameters) for each in given.gpu_execution_accelerator}
    cpus = {each.name: dict(each.parameters) for each in given.cpu_execution_accelerator}
    if subject.config.backend != "onnxruntime":
        for path in [GPU] * bool(gpus) + [CPU] * bool(cpus):
            yield subject.finding(
                path, f"accelerators of backend {subject.config.backend!r}", "none", "drop them: only onnxruntime has any"
            )
        return
    for name, parameters in gpus.items():
        path = f"{GPU}[{name}]"
        if name not in TAKEN:
            yield subject.finding(f"{path}.name", repr(name), ", ".join(TAKEN), f"name one of them{did_you_mean(name, TAKEN)}")
            continue
        yield from _unknown(subject, path, name, parameters)
        yield from _conflicts(subject, path, parameters)
    if "cuda" in gpus:
        yield from _overridden(subject, gpus["cuda"])
    for name, parameters in cpus.items():
        path = f"{CPU}[{name}]"
        if name != "openvino":
            yield subject.finding(f"{path}.name", repr(name), "openvino", "name it, or drop the accelerator")
        for key in sorted(parameters):
            yield subject.finding(
                f"{path}.parameters[{key}]", repr(key), "no parameters: none is read", "drop it, or use the profile openvino"
            )


def _unknown(subject: Subject, path: str, name: str, parameters: Mapping[str, str]) -> Iterator[Finding]:
    for key, value in sorted(parameters.items()):
        field = f"{path}.parameters[{key}]"
        if key in tables.TENSORRT_PRECISIONS.values() or key in tables.TENSORRT_RENAMED.values():
            yield subject.finding(field, repr(key), "its name in Triton: precision_mode, max_workspace_size_bytes, int8_…", "use that one")
        elif key not in TAKEN[name]:
            near = did_you_mean(key, TAKEN[name])
            yield subject.finding(field, repr(key), f"a parameter of {name}", f"drop or rename it{near}")
        elif key in tables.TENSORRT_OURS and subject.may_run_natively:
            yield subject.finding(field, repr(key), "what Triton's own onnxruntime backend takes too, or it refuses the model", OURS_ALONE)
        elif key == "precision_mode" and value not in tables.TENSORRT_PRECISIONS:
            near = did_you_mean(value, tables.TENSORRT_PRECISIONS)
            yield subject.finding(field, repr(value), ", ".join(tables.TENSORRT_PRECISIONS), f"set one of them{near}")


def _conflicts(subject: Subject, path: str, parameters: Mapping[str, str]) -> Iterator[Finding]:
    for key, needed in NEEDS.items():
        is_on = needed in parameters and (not needed.endswith("_enable") or parameters[needed].lower() in ON)
        if key in parameters and not is_on:
            yield subject.finding(f"{path}.parameters[{key}]", f"{key} without {needed}", f"{needed} too", "set that, or drop this")
    shapes = [key for key in SHAPES if key in parameters]
    if 0 < len(shapes) < len(SHAPES):
        missing = ", ".join(key for key in SHAPES if key not in shapes)
        yield subject.finding(f"{path}.parameters[{shapes[0]}]", f"no {missing}", "all three shapes, or none", "add what is missing")
    precisions = [key for key in PRECISIONS if parameters.get(key, "").lower() in ON]
    if len(precisions) > 1:
        yield subject.finding(f"{path}.parameters[{precisions[1]}]", " and ".join(precisions), "one precision", "switch the others off")


def _overridden(subject: Subject, cuda: Mapping[str, str]) -> Iterator[Finding]:
    """Options that the native backend sets anew from a model's `parameters`, as soon as it has any, or else to their defaults."""
    if not subject.may_run_natively or not subject.config.parameters:
        return
    for key, forms in tables.CUDA_IN_PARAMETERS.items():
        if key not in cuda or key in subject.config.parameters or cuda[key] == next(iter(forms.values()), ""):
            continue
        form = next((number for number, name in forms.items() if name == cuda[key]), cuda[key])
        yield subject.finding(
            f"{GPU}[cuda].parameters[{key}]",
            f"{cuda[key]!r} here alone, where Triton's own onnxruntime backend sets its default: the model has `parameters`",
            f"it in `parameters` as well, as {form!r}",
            "add it there",
        )
