"""cpu: any processor, and any build of ONNX Runtime."""

from triptych_server.hardware.finding import HARDWARE, Finding, missing, ok
from triptych_server.hardware.machine import Machine


def cpu(machine: Machine) -> list[Finding]:
    """What the profile `cpu` needs."""
    hardware = ok(HARDWARE, machine.cpu.name or machine.cpu.architecture or "a processor")
    if "onnxruntime" in machine.software.native:
        return [hardware, ok("runtime", "the onnxruntime backend of /opt/tritonserver")]
    installed = ", ".join(f"{package.name} {package.version}" for package in machine.software.onnxruntimes)
    if installed:
        return [hardware, ok("runtime", installed)]
    return [hardware, missing("runtime", "no ONNX Runtime", "onnxruntime in this Python", "pip install onnxruntime")]
