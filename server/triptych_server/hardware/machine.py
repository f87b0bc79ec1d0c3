"""All that is known of a machine: every probe over one tree of files."""

from dataclasses import dataclass
from pathlib import Path

from triptych_server.hardware.amd import Amd, probe_amd
from triptych_server.hardware.container import Container, probe_container
from triptych_server.hardware.cpu import Cpu, probe_cpu
from triptych_server.hardware.device_tree import board_name
from triptych_server.hardware.drm import probe_accel_nodes, probe_render_nodes
from triptych_server.hardware.intel import Intel, probe_intel
from triptych_server.hardware.libraries import load_problems
from triptych_server.hardware.mali import Mali, probe_mali
from triptych_server.hardware.nvidia import Nvidia, probe_nvidia
from triptych_server.hardware.openvino_devices import ask_openvino
from triptych_server.hardware.pci import probe_pci
from triptych_server.hardware.rockchip import Rockchip, probe_rockchip
from triptych_server.hardware.software import Software, probe_software, provider_library
from triptych_server.hardware.tree import Tree


@dataclass(frozen=True, slots=True)
class Machine:
    """`load_problems` says, of the libraries that the hardware here needs, why each cannot be loaded; empty when it can.
    `openvino_devices` are those that OpenVINO itself sees, None when it was not asked."""

    board: str
    cpu: Cpu
    container: Container
    nvidia: Nvidia
    intel: Intel
    amd: Amd
    mali: Mali
    rockchip: Rockchip
    software: Software
    load_problems: dict[str, str]
    openvino_devices: tuple[str, ...] | None = None


def probe(root: Path = Path("/"), *, ask_runtimes: bool = False) -> Machine:
    """Look at the machine, or at a recorded tree of one. Imports no runtime; a few hundredths of a second where there is no GPU.
    `ask_runtimes` also starts OpenVINO where Intel has more than a processor here, which takes a second."""
    tree = Tree(root)
    pci, render, accel = probe_pci(tree), probe_render_nodes(tree), probe_accel_nodes(tree)
    nvidia, amd, software = probe_nvidia(tree, pci), probe_amd(tree, pci, render), probe_software(tree)
    mali = probe_mali(tree, render)
    intel = probe_intel(tree, pci, render, accel)
    return Machine(
        board=board_name(tree),
        cpu=probe_cpu(tree),
        container=probe_container(tree),
        nvidia=nvidia,
        intel=intel,
        amd=amd,
        mali=mali,
        rockchip=probe_rockchip(tree, render, accel),
        software=software,
        load_problems=load_problems(tree, _wanted(nvidia, amd, mali, software)),
        openvino_devices=ask_openvino() if ask_runtimes and tree.live and (intel.gpus or intel.npus) else None,
    )


def _wanted(nvidia: Nvidia, amd: Amd, mali: Mali, software: Software) -> dict[str, list[str]]:
    """The libraries worth loading: those of hardware that is here."""
    wanted: dict[str, list[str]] = {}
    if nvidia.nodes:
        wanted |= {name: [name] for name in ("libcuda.so.1", "libnvinfer.so.10", "libnvonnxparser.so.10")}
        if package := software.package("onnxruntime-gpu"):
            wanted |= {f"onnxruntime {name}": provider_library(package, name) for name in ("cuda", "tensorrt")}
    if amd.kfd:
        wanted |= {name: [name] for name in ("libamdhip64.so.7", "libmigraphx_c.so.3")}
        if package := software.package("onnxruntime-migraphx"):
            wanted["onnxruntime migraphx"] = provider_library(package, "migraphx")
    if mali.library:
        wanted["libmali.so"] = [mali.library]
    if mali.delegates:
        wanted["libarmnnDelegate.so"] = [mali.delegates[0]]
    return wanted
