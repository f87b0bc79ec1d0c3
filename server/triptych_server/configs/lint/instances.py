"""Rule: instance groups say how many there are and on what, and that fits the backend and the profile."""

from collections.abc import Iterator

from tritonclient.grpc.model_config_pb2 import ModelInstanceGroup

from triptych_server.configs.lint.finding import Finding
from triptych_server.configs.lint.subject import Everything, Subject

GPU, CPU, AUTO = ModelInstanceGroup.KIND_GPU, ModelInstanceGroup.KIND_CPU, ModelInstanceGroup.KIND_AUTO

AMD = "migraphx"
"""The accelerator that our backend alone has, whatever the kind of its instances."""

GPU_PROFILES = frozenset({"cuda", "tensorrt"})
NO_GPU_PROFILES = frozenset({"cpu", "openvino", "migraphx", "rknn", "armnn"})
"""Triton's KIND_GPU means NVIDIA."""
NO_GPU_BACKENDS = {
    "openvino": "Triton's own openvino backend takes KIND_CPU only, and TARGET_DEVICE chooses the device",
    "rknn": "Triton's KIND_GPU means NVIDIA",
    "armnn": "Triton's KIND_GPU means NVIDIA",
    "python": "this model computes on the CPU",
}


def instances(subject: Subject, everything: Everything) -> Iterator[Finding]:
    """Explicit groups; KIND_GPU exactly where the profile runs networks on GPUs."""
    config = subject.config
    if subject.is_ensemble:
        return
    if not config.instance_group:
        yield subject.finding(
            "instance_group",
            "nothing",
            "at least one group",
            "add instance_group [ { kind: KIND_CPU count: 1 } ]: Triton's own choice is two copies for onnxruntime",
        )
    for place, group in enumerate(config.instance_group):
        path = f"instance_group[{group.name or place}]"
        if group.count < 1:
            yield subject.finding(
                f"{path}.count", str(group.count), "1 or more", "say how many: Triton's own choice depends on the backend"
            )
        yield from _kind(subject, path, group)
    has_gpu = any(group.kind == GPU for group in config.instance_group)
    if subject.is_network and subject.profile in GPU_PROFILES and config.backend == "onnxruntime" and not has_gpu:
        yield subject.finding(
            "instance_group[0].kind", "no KIND_GPU", f"KIND_GPU, as the profile {subject.profile} is for", "set kind: KIND_GPU"
        )
    accelerators = config.optimization.execution_accelerators
    wanting = [each.name for each in accelerators.gpu_execution_accelerator if each.name != AMD]
    if wanting and not has_gpu:
        names = ", ".join(wanting)
        yield subject.finding(
            "optimization.execution_accelerators.gpu_execution_accelerator",
            f"{names} without an instance of KIND_GPU, which alone uses it",
            "KIND_GPU",
            "set kind: KIND_GPU or drop the accelerator",
        )


def _kind(subject: Subject, path: str, group: ModelInstanceGroup) -> Iterator[Finding]:
    kind = ModelInstanceGroup.Kind.Name(group.kind)
    backend = subject.config.backend
    if group.kind == AUTO:
        yield subject.finding(f"{path}.kind", kind, "KIND_CPU, KIND_GPU or KIND_MODEL", "say which: KIND_AUTO falls back in silence")
    elif group.kind == GPU and (backend in NO_GPU_BACKENDS or subject.profile in NO_GPU_PROFILES):
        reason = NO_GPU_BACKENDS.get(backend, f"the profile {subject.profile} uses no GPU of Triton's")
        yield subject.finding(
            f"{path}.kind", kind, "KIND_CPU" if backend == "openvino" else "KIND_CPU or KIND_MODEL", f"change it: {reason}"
        )
    elif group.kind != CPU and backend == "openvino":
        yield subject.finding(f"{path}.kind", kind, "KIND_CPU", f"change it: {NO_GPU_BACKENDS[backend]}")
    if group.gpus and group.kind != GPU:
        yield subject.finding(f"{path}.gpus", f"{list(group.gpus)} with {kind}", "no devices", "drop gpus, or set kind: KIND_GPU")
