"""NVIDIA: the GPUs on the bus, the kernel driver, the device nodes, and what nvidia-smi says."""

import re
import shutil
import subprocess
from dataclasses import dataclass

from triptych_server.hardware.nodes import Node, device_nodes
from triptych_server.hardware.pci import PciDevice
from triptych_server.hardware.tree import Tree
from triptych_server.hardware.versions import find_version

VENDOR = "10de:"
QUERY = ("--query-gpu=name,compute_cap,driver_version,memory.total", "--format=csv,noheader")
RECORDED_QUERY = "recorded/nvidia-smi.csv"
"""What nvidia-smi answered on the machine whose tree was recorded."""

TIMEOUT = 15.0  # without the persistence daemon the driver first wakes every GPU


@dataclass(frozen=True, slots=True)
class NvidiaGpu:
    """`capability` is the compute capability, as `8.6`; it and `memory` are empty when only the kernel driver told of the GPU."""

    name: str
    capability: str = ""
    memory: str = ""


@dataclass(frozen=True, slots=True)
class Nvidia:
    """`present` is hardware, driver or not; `driver` the kernel driver's version; `nodes` are what CUDA opens."""

    present: bool
    driver: str
    gpus: tuple[NvidiaGpu, ...]
    nodes: tuple[Node, ...]
    nouveau: bool


def probe_nvidia(tree: Tree, pci: tuple[PciDevice, ...]) -> Nvidia:
    """NVIDIA's GPUs. nvidia-smi is run only where there is something to ask."""
    cards = [device for device in pci if device.id.startswith(VENDOR)]
    # In WSL the GPU is reached through /dev/dxg, and there is neither a PCI device nor /proc/driver/nvidia.
    nodes = device_nodes(tree, "dev/nvidia[0-9]*") or (device_nodes(tree, "dev/dxg") if tree.exists("usr/lib/wsl/lib/libcuda.so.1") else ())
    told = parse_answer(ask_nvidia_smi(tree)) if nodes else ()
    driver = kernel_driver(tree.text("proc/driver/nvidia/version")) or (told[0][1] if told else "")
    models = [_model(tree.text(path)) for path in tree.glob("proc/driver/nvidia/gpus/*/information")]
    gpus = tuple(gpu for gpu, _ in told) or tuple(NvidiaGpu(name) for name in models if name)
    return Nvidia(bool(cards or nodes or gpus), driver, gpus, nodes, any(card.driver == "nouveau" for card in cards))


def kernel_driver(text: str) -> str:
    """The version in /proc/driver/nvidia/version, of the closed and of the open kernel module."""
    line = next((line for line in text.splitlines() if line.startswith("NVRM version:")), "")
    return find_version(line)


def _model(information: str) -> str:
    found = re.search(r"^Model:\s*(\S.*)$", information, re.MULTILINE)
    return found[1].strip() if found else ""


def ask_nvidia_smi(tree: Tree) -> str:
    """Its answer in CSV, one line a GPU; empty when it is not there, fails or takes too long."""
    if not tree.live:
        return tree.text(RECORDED_QUERY)
    program = shutil.which("nvidia-smi") or shutil.which("/usr/lib/wsl/lib/nvidia-smi")
    if program is None:
        return ""
    try:
        done = subprocess.run([program, *QUERY], capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def parse_answer(text: str) -> tuple[tuple[NvidiaGpu, str], ...]:
    """(GPU, driver version) of every line that has the four fields that were asked for."""
    rows = [[field.strip() for field in line.split(",")] for line in text.splitlines()]
    return tuple(
        (NvidiaGpu(name, capability, memory), find_version(driver))
        for name, capability, driver, memory in (row for row in rows if len(row) == 4)
        if re.fullmatch(r"\d+\.\d+", capability, re.ASCII)
    )
