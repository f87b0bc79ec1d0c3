"""migraphx: an AMD GPU that ROCm 7 knows (or takes for one that it knows), /dev/kfd, and the libraries of ROCm 7."""

import re

from triptych_server.hardware.amd import AmdGpu, gfx
from triptych_server.hardware.finding import HARDWARE, Finding, missing, ok, warning
from triptych_server.hardware.machine import Machine
from triptych_server.hardware.needs import runtimes
from triptych_server.hardware.needs.access import access

SUPPORTED = (
    *("gfx908", "gfx90a", "gfx942", "gfx950"),
    *("gfx1030", "gfx1100", "gfx1101", "gfx1102", "gfx1150", "gfx1151", "gfx1200", "gfx1201"),
)
"""Instruction sets that ROCm 7's libraries are built for (rocm.docs.amd.com, system requirements)."""

OVERRIDES = {**{f"gfx103{step}": "10.3.0" for step in range(1, 7)}, "gfx1103": "11.0.0"}
"""HSA_OVERRIDE_GFX_VERSION for those that run the code of a sibling."""

WHAT = "graphics target"
DRIVER = "install the amdgpu driver: sudo apt install linux-firmware (Linux 6.x has it), or AMD's amdgpu-dkms; then reboot"


def migraphx(machine: Machine) -> list[Finding]:
    """What the profile `migraphx` needs."""
    amd = machine.amd
    if not amd.present:
        return [missing(HARDWARE, "no AMD GPU", "an AMD GPU")]
    names = ", ".join(" ".join(filter(None, (gpu.name, gpu.gfx))) for gpu in amd.gpus) or "an AMD GPU"
    findings = [ok(HARDWARE, names), access(machine, amd.kfd, "/dev/kfd", "render", DRIVER)]
    if amd.kfd:
        findings.append(access(machine, amd.render, "/dev/dri", "render", DRIVER))
    if amd.gpus:
        findings += _target(machine)
    findings += runtimes.onnxruntime(machine, "onnxruntime-migraphx")
    if amd.kfd:
        mend = "sudo apt install migraphx rocm-hip-runtime (AMD's repository of ROCm 7), or an image of rocm/dev-ubuntu-24.04:7.2-complete"
        names_of = ("libamdhip64.so.7", "libmigraphx_c.so.3", "onnxruntime migraphx")
        findings.append(runtimes.libraries(machine, names_of, "ROCm 7 with MIGraphX where the loader finds it", mend))
    return findings


def _target(machine: Machine) -> list[Finding]:
    amd = machine.amd
    known = [gpu for gpu in amd.gpus if gpu.gfx in SUPPORTED]
    if amd.override:
        return [_overridden(machine, known)]
    if known:
        return [ok(WHAT, known[0].gfx)]
    gpu = next((gpu for gpu in amd.gpus if gpu.gfx in OVERRIDES), None)
    if gpu is None:
        return [
            missing(WHAT, amd.gpus[0].gfx, f"one of {', '.join(SUPPORTED)}", "the profile openvino or cpu: ROCm 7 has no code for this GPU")
        ]
    expected = f"one of {', '.join(SUPPORTED)}, or HSA_OVERRIDE_GFX_VERSION"
    return [missing(WHAT, gpu.gfx, expected, _set(machine, f"HSA_OVERRIDE_GFX_VERSION={OVERRIDES[gpu.gfx]}"))]


def _overridden(machine: Machine, known: list[AmdGpu]) -> Finding:
    amd = machine.amd
    found = f"{amd.gpus[0].gfx} with HSA_OVERRIDE_GFX_VERSION={amd.override}"
    target = gfx(*map(int, amd.override.split("."))) if re.fullmatch(r"\d{1,4}\.\d{1,4}\.\d{1,4}", amd.override, re.ASCII) else ""
    if known and target not in [gpu.gfx for gpu in known]:
        return warning(WHAT, found, f"no override, as ROCm 7 knows {known[0].gfx}", "unset HSA_OVERRIDE_GFX_VERSION")
    if target not in SUPPORTED:
        best = next((OVERRIDES[gpu.gfx] for gpu in amd.gpus if gpu.gfx in OVERRIDES), "")
        mend = _set(machine, f"HSA_OVERRIDE_GFX_VERSION={best}") if best else "unset HSA_OVERRIDE_GFX_VERSION"
        return missing(WHAT, found, f"an override to one of {', '.join(SUPPORTED)}", mend)
    if not known and amd.svm != "0":
        expected = "HSA_USE_SVM=0 beside it: shared virtual memory fails on some GPUs that are taken for others"
        return warning(WHAT, found, expected, _set(machine, "HSA_USE_SVM=0"))
    return ok(WHAT, found)


def _set(machine: Machine, variable: str) -> str:
    return machine.container.advice(host=f"export {variable}, before `triptych serve`", container=f'compose: environment: ["{variable}"]')
