"""Intel: GPUs by their render nodes and on the bus, NPUs by the kernel's accel nodes, and the user-space drivers of both."""

from dataclasses import dataclass

from triptych_server.hardware.drm import RenderNode
from triptych_server.hardware.libraries import library_files
from triptych_server.hardware.nodes import Node, device_nodes
from triptych_server.hardware.pci import DISPLAY, PciDevice
from triptych_server.hardware.tree import Tree

VENDOR = "8086:"
NAMES = {
    "8086:46d0": "UHD Graphics (Alder Lake-N)",
    "8086:46d1": "UHD Graphics (Alder Lake-N)",
    "8086:46d2": "UHD Graphics (Alder Lake-N)",
    "8086:7d55": "Arc Graphics (Meteor Lake)",
    "8086:7d45": "Graphics (Meteor Lake)",
    "8086:64a0": "Arc Graphics (Lunar Lake)",
    "8086:56a0": "Arc A770",
    "8086:56a1": "Arc A750",
    "8086:56a5": "Arc A380",
    "8086:e20b": "Arc B580",
    "8086:7d1d": "NPU (Meteor Lake)",
    "8086:643e": "NPU (Lunar Lake)",
    "8086:ad1d": "NPU (Arrow Lake)",
    "8086:b03e": "NPU (Panther Lake)",
}
"""A few PCI ids (pci.ids); others are shown by their number."""


@dataclass(frozen=True, slots=True)
class Intel:
    """`gpus` and `npus` are names; the nodes those that belong to them, as far as they are here; `opencl` and `level_zero_npu`
    say whether the user-space drivers are installed, which OpenVINO's GPU and NPU plugins need."""

    gpus: tuple[str, ...]
    gpu_nodes: tuple[Node, ...]
    opencl: bool
    npus: tuple[str, ...]
    npu_nodes: tuple[Node, ...]
    level_zero_npu: bool


def probe_intel(tree: Tree, pci: tuple[PciDevice, ...], render: tuple[RenderNode, ...], accel: tuple[RenderNode, ...]) -> Intel:
    """Intel's accelerators."""
    cards = [device.id for device in pci if device.id.startswith(VENDOR) and device.kind == DISPLAY]
    drawing = [node for node in render if node.id.startswith(VENDOR)]
    thinking = [node for node in accel if node.id.startswith(VENDOR)]
    return Intel(
        gpus=tuple(name_of(device) for device in cards or [node.id for node in drawing]),
        gpu_nodes=_here(tree, drawing),
        opencl=any("intel" in path.name.lower() for path in tree.glob("etc/OpenCL/vendors/*.icd"))
        and bool(library_files(tree, "libOpenCL.so.1")),
        npus=tuple(name_of(node.id) for node in thinking),
        npu_nodes=_here(tree, thinking),
        level_zero_npu=bool(library_files(tree, "libze_loader.so.1"))
        and bool(library_files(tree, "libze_intel_npu.so.1") or library_files(tree, "libze_intel_vpu.so.1")),
    )


def name_of(device: str) -> str:
    """As people call it."""
    return f"Intel {NAMES.get(device, device)}"


def _here(tree: Tree, nodes: list[RenderNode]) -> tuple[Node, ...]:
    return tuple(node for each in nodes for node in device_nodes(tree, each.node.lstrip("/")))
