"""openvino: an Intel, AMD or Arm processor; an Intel GPU or NPU is a choice on top (--target-device), so what those lack is a warning."""

from triptych_server.hardware.finding import HARDWARE, Finding, Status, missing, ok, warning
from triptych_server.hardware.machine import Machine
from triptych_server.hardware.needs.access import access
from triptych_server.hardware.needs.runtimes import package
from triptych_server.hardware.nodes import Node

GPU_DRIVER = "sudo apt install intel-opencl-icd ocl-icd-libopencl1 (github.com/intel/compute-runtime for newer GPUs)"
NPU_DRIVER = "install the packages of github.com/intel/linux-npu-driver"


def openvino(machine: Machine) -> list[Finding]:
    """What the profile `openvino` needs (docs.openvino.ai, system requirements)."""
    cpu = machine.cpu
    if not (cpu.is_x86 or cpu.is_arm64):
        return [missing(HARDWARE, cpu.architecture or "an unknown processor", "x86-64 or 64-bit Arm")]
    native = "openvino" in machine.software.native
    runtime = ok("runtime", "the openvino backend of /opt/tritonserver") if native else package(machine, "openvino")
    return [ok(HARDWARE, cpu.name or cpu.architecture), *_instructions(machine), runtime, *_gpu(machine), *_npu(machine)]


def _instructions(machine: Machine) -> list[Finding]:
    if not machine.cpu.is_x86:
        return []
    best = next((name for name in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if name in machine.cpu.features), "")
    if best:
        return [ok("instructions", best)]
    return [
        warning("instructions", "no AVX2", "AVX2, without which networks run several times slower", "nothing to install; another machine")
    ]


def _gpu(machine: Machine) -> list[Finding]:
    intel = machine.intel
    return _extra(machine, "Intel GPU", intel.gpus, intel.gpu_nodes, "/dev/dri", (intel.opencl, "Intel's OpenCL driver", GPU_DRIVER))


def _npu(machine: Machine) -> list[Finding]:
    intel = machine.intel
    driver = (intel.level_zero_npu, "Level Zero with Intel's NPU driver", NPU_DRIVER)
    return _extra(machine, "Intel NPU", intel.npus, intel.npu_nodes, "/dev/accel", driver)


def _extra(
    machine: Machine, what: str, names: tuple[str, ...], nodes: tuple[Node, ...], path: str, driver: tuple[bool, str, str]
) -> list[Finding]:
    """One finding about an accelerator of the profile's own: that it can be used, or the first thing that it lacks."""
    if not names:
        return []
    opened = access(machine, nodes, path, "render", "a newer Linux kernel (6.2 for Arc, 6.6 for NPUs)")
    installed, library, mend = driver
    target = what.partition(" ")[2]
    if opened.status is not Status.OK:
        return [warning(what, f"{names[0]}, but {opened.found}", f"{opened.expected}, for --target-device {target}", opened.mend)]
    if not installed:
        advice = machine.container.advice(host=mend, container=f"in the image: {mend.removeprefix('sudo ')}")
        return [warning(what, f"{names[0]}, without its driver", f"{library}, for --target-device {target}", advice)]
    seen = machine.openvino_devices
    if seen is not None and not any(device.partition(".")[0] == target for device in seen):
        found = f"{names[0]}, but OpenVINO sees only {', '.join(seen) or 'nothing'}"
        return [warning(what, found, f"OpenVINO sees {target}", f"a newer driver: {mend}")]
    return [ok(what, f"{', '.join(names)}: --target-device {target} can be used")]
