"""A machine in a few lines for people."""

from collections import Counter
from collections.abc import Iterable

from triptych_server.hardware.machine import Machine


def describe(machine: Machine) -> list[tuple[str, str]]:
    """(what, text), what is not known left out."""
    cpu, software = machine.cpu, machine.software
    features = f"; {', '.join(cpu.features)}" if cpu.features else ""
    runtimes = [f"{package.name} {package.version}" for package in software.packages]
    runtimes += [f"Triton's own {name}" for name in software.native]
    rows = [
        ("board", machine.board),
        ("processor", f"{cpu.name or 'unknown'} ({cpu.architecture or 'unknown'}, {cpu.cores} cores{features})"),
        ("accelerators", ", ".join(accelerators(machine)) or "none known"),
        ("container", machine.container.kind),
        ("runtimes", ", ".join(runtimes) or "none"),
    ]
    return [(what, text) for what, text in rows if text]


def accelerators(machine: Machine) -> list[str]:
    """Every accelerator that some profile is for."""
    nvidia, amd, rockchip = machine.nvidia, machine.amd, machine.rockchip
    found = [*_counted(" ".join(filter(None, (gpu.name, gpu.memory))) for gpu in nvidia.gpus)]
    if nvidia.present and not found:
        found.append("NVIDIA GPU")
    if nvidia.driver and found:
        found[-1] += f" (driver {nvidia.driver})"
    found += [*_counted(machine.intel.gpus), *_counted(machine.intel.npus)]
    found += [*_counted(f"AMD {gpu.name} ({gpu.gfx})" for gpu in amd.gpus)] or (["AMD GPU"] if amd.present else [])
    found += [machine.mali.model] if machine.mali.model else []
    if rockchip.soc:
        found.append(f"{rockchip.soc.upper()} NPU" + (f" (driver {rockchip.driver})" if rockchip.driver else ""))
    return found


def _counted(names: Iterable[str]) -> list[str]:
    return [f"{count} x {name}" if count > 1 else name for name, count in Counter(names).items()]
