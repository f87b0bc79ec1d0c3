"""tensorrt: everything of cuda, and TensorRT 10 (onnxruntime-gpu 1.31 links libnvinfer.so.10; 11 does not do)."""

from triptych_server.hardware.finding import Finding, Status
from triptych_server.hardware.machine import Machine
from triptych_server.hardware.needs import runtimes
from triptych_server.hardware.needs.cuda import cuda

LIBRARIES = ("libnvinfer.so.10", "libnvonnxparser.so.10")


def tensorrt(machine: Machine) -> list[Finding]:
    """What the profile `tensorrt` needs."""
    findings = cuda(machine)
    if not machine.nvidia.nodes:
        return findings
    native = "onnxruntime" in machine.software.native
    loaded = runtimes.libraries(
        machine,
        LIBRARIES if native else (*LIBRARIES, "onnxruntime tensorrt"),
        "TensorRT 10 where the loader finds it",
        "sudo apt install libnvinfer10 libnvinfer-plugin10 libnvonnxparsers10 (NVIDIA's repository), or the NGC container of Triton",
    )
    what = "TensorRT" if loaded.status is Status.OK else "TensorRT libraries"
    return [*findings, Finding(loaded.status, what, loaded.found, loaded.expected, loaded.mend)]
