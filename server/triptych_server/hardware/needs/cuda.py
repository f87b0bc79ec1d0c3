"""cuda: an NVIDIA GPU that is new enough for the CUDA release of the runtime, its driver, and the libraries of CUDA and cuDNN."""

from dataclasses import dataclass

from triptych_server.hardware.finding import HARDWARE, Finding, missing, ok, warning
from triptych_server.hardware.machine import Machine
from triptych_server.hardware.needs import runtimes
from triptych_server.hardware.versions import version

PASS_IN = (
    "compose: deploy: {resources: {reservations: {devices: [{driver: nvidia, count: all, capabilities: [gpu]}]}}}; "
    "docker run: --gpus all; either needs the NVIDIA Container Toolkit on the host"
)
INSTALL_DRIVER = "sudo ubuntu-drivers install (Debian: sudo apt install nvidia-driver), then reboot"


@dataclass(frozen=True, slots=True)
class Floor:
    """The least compute capability and driver."""

    capability: str
    driver: str


FLOORS = {"13": Floor("7.5", "580")}
"""By CUDA release (CUDA 13's release notes: Maxwell, Pascal and Volta are gone, drivers are 580 and newer)."""

COMMON = Floor("5.2", "545")
"""Of CUDA 12, and where the release is not known."""

NATIVE = Floor("6.0", "545")
"""The same in NVIDIA's container, whose Triton leaves older GPUs out."""

COMPATIBLE = "535"
"""From here on the container's compatibility libraries stand in for a newer driver, on data-center GPUs alone (Triton's release notes)."""


def cuda(machine: Machine) -> list[Finding]:
    """What the profile `cuda` needs."""
    nvidia = machine.nvidia
    if not nvidia.present:
        return [missing(HARDWARE, "no NVIDIA GPU", "an NVIDIA GPU")]
    release, runtime = _release(machine)
    floor = FLOORS.get(release, NATIVE if _is_native(machine) else COMMON)
    reason = f" ({runtime} is built for CUDA {release})" if release in FLOORS else ""
    names = ", ".join(gpu.name for gpu in nvidia.gpus) or "an NVIDIA GPU"
    findings = [ok(HARDWARE, names), _driver(machine, floor, reason), _nodes(machine)]
    if nvidia.nodes:
        findings.append(_capability(machine, floor, reason))
    return [*findings, *_runtime(machine)]


def _is_native(machine: Machine) -> bool:
    return "onnxruntime" in machine.software.native


def _release(machine: Machine) -> tuple[str, str]:
    """The CUDA release that the runtime is built for, empty where that is not known, and the runtime's name."""
    if _is_native(machine):
        return machine.software.native_cuda, "the Triton in /opt/tritonserver"
    installed = machine.software.package("onnxruntime-gpu")
    return (installed.cuda, f"{installed.name} {installed.version}") if installed else ("", "")


def _driver(machine: Machine, floor: Floor, reason: str) -> Finding:
    driver, expected = machine.nvidia.driver, f"{floor.driver} or newer{reason}"
    mend = machine.container.advice(host=INSTALL_DRIVER, container=f"on the host: {INSTALL_DRIVER}")
    if not driver:
        return missing("driver", "nouveau is bound to the GPU" if machine.nvidia.nouveau else "no NVIDIA driver", expected, mend)
    if version(driver) < version(floor.driver):
        consumer = any("GeForce" in gpu.name for gpu in machine.nvidia.gpus)
        if _is_native(machine) and not consumer and version(driver) >= version(COMPATIBLE):
            return warning("driver", driver, f"{expected}; a data-center GPU may run with the container's compatibility libraries", mend)
        return missing("driver", driver, expected, mend)
    return ok("driver", driver)


def _nodes(machine: Machine) -> Finding:
    nodes = machine.nvidia.nodes
    usable = [node for node in nodes if not node.problem]
    if usable:
        return ok("device access", ", ".join(node.path for node in usable))
    found = f"{nodes[0].path}: {nodes[0].problem}" if nodes else "no /dev/nvidia0"
    host = "sudo nvidia-modprobe -u -c=0 (makes the device nodes)"
    return missing("device access", found, "/dev/nvidia0, open to this user", machine.container.advice(host=host, container=PASS_IN))


def _capability(machine: Machine, floor: Floor, reason: str) -> Finding:
    what, expected = "compute capability", f"{floor.capability} or higher{reason}"
    known = [gpu for gpu in machine.nvidia.gpus if gpu.capability]
    found = ", ".join(f"{gpu.name}: {gpu.capability}" for gpu in known)
    if not known:
        mend = machine.container.advice(
            host="sudo apt install nvidia-utils-<driver's release>", container="environment: NVIDIA_DRIVER_CAPABILITIES=compute,utility"
        )
        return warning(what, "unknown, as nvidia-smi does not answer", expected, mend)
    low = [gpu for gpu in known if version(gpu.capability) < version(floor.capability)]
    image, build = "an older container, on CUDA 12 (capability 6.0)", "a build of onnxruntime-gpu for CUDA 12 (capability 5.2)"
    older = f"{image if _is_native(machine) else build}, else " if floor in FLOORS.values() else ""
    if len(low) == len(known):
        return missing(what, found, expected, f"{older}the profile openvino or cpu: this GPU is too old")
    if low:
        numbers = ",".join(str(index) for index, gpu in enumerate(known) if gpu not in low)
        return warning(what, found, f"{expected}, of every GPU", f"environment: CUDA_VISIBLE_DEVICES={numbers}")
    return ok(what, found)


def _runtime(machine: Machine) -> list[Finding]:
    if _is_native(machine):
        return [ok("runtime", "the onnxruntime backend of /opt/tritonserver")]
    findings = runtimes.onnxruntime(machine, "onnxruntime-gpu")
    if machine.nvidia.nodes and (package := machine.software.package("onnxruntime-gpu")):
        release = package.cuda or "12"
        expected = f"the driver's libcuda, CUDA {release} and cuDNN 9 where the loader finds them"
        mend = f"sudo apt install cuda-libraries-{release}-0 libcudnn9-cuda-{release} (NVIDIA's repository), or the NGC container of Triton"
        findings.append(runtimes.libraries(machine, ("libcuda.so.1", "onnxruntime cuda"), expected, mend))
    return findings
