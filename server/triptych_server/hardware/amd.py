"""AMD: GPUs as the kernel's compute driver (kfd) tells of them, the nodes that ROCm opens, and its environment variables."""

import re
from dataclasses import dataclass

from triptych_server.hardware.drm import RenderNode
from triptych_server.hardware.nodes import Node, device_nodes
from triptych_server.hardware.pci import PciDevice
from triptych_server.hardware.tree import Tree

VENDOR = "1002:"
TOPOLOGY = "sys/class/kfd/kfd/topology/nodes/*"


@dataclass(frozen=True, slots=True)
class AmdGpu:
    """`gfx` is the instruction set, as `gfx1030`; `name` the kernel's code name, as `navi21`."""

    gfx: str
    name: str


@dataclass(frozen=True, slots=True)
class Amd:
    """`present` is hardware, whether kfd knows it or not; `override` and `svm` are the values of HSA_OVERRIDE_GFX_VERSION
    and HSA_USE_SVM."""

    present: bool
    gpus: tuple[AmdGpu, ...]
    kfd: tuple[Node, ...]
    render: tuple[Node, ...]
    override: str
    svm: str


def probe_amd(tree: Tree, pci: tuple[PciDevice, ...], render: tuple[RenderNode, ...]) -> Amd:
    """AMD's GPUs; a processor without one has kfd nodes too, with a gfx_target_version of 0."""
    found = ((gfx_name(tree.text(path / "properties")), tree.text(path / "name")) for path in tree.glob(TOPOLOGY))
    gpus = tuple(AmdGpu(gfx, name) for gfx, name in found if gfx)
    nodes = [node for each in render if each.id.startswith(VENDOR) for node in device_nodes(tree, each.node.lstrip("/"))]
    environment = tree.environment()
    return Amd(
        present=bool(gpus) or any(device.id.startswith(VENDOR) for device in pci),
        gpus=gpus,
        kfd=device_nodes(tree, "dev/kfd"),
        render=tuple(nodes),
        override=environment.get("HSA_OVERRIDE_GFX_VERSION", ""),
        svm=environment.get("HSA_USE_SVM", ""),
    )


def gfx_name(properties: str) -> str:
    """The instruction set in a kfd node's properties, where `gfx_target_version 100300` has two digits each of major, minor and
    stepping; empty for a processor."""
    found = re.search(r"^gfx_target_version\s+(\d{1,8})\s*$", properties, re.MULTILINE | re.ASCII)
    number = int(found[1]) if found else 0
    return gfx(number // 10000, number // 100 % 100, number % 100) if number else ""


def gfx(major: int, minor: int = 0, stepping: int = 0) -> str:
    """The compiler's name, whose last two digits are hexadecimal: 9, 0, 10 is `gfx90a`."""
    return f"gfx{major}{minor:x}{stepping:x}"
