"""Render nodes: what GPUs (and Rockchip's NPU) are opened by, and the accelerator nodes of NPUs."""

from dataclasses import dataclass
from pathlib import Path

from triptych_server.hardware.pci import device_id, uevent
from triptych_server.hardware.tree import Tree


@dataclass(frozen=True, slots=True)
class RenderNode:
    """`node` is where its device node belongs, there or not; `compatible` is the device tree's name of it."""

    node: str
    id: str
    driver: str
    compatible: str


def probe_render_nodes(tree: Tree) -> tuple[RenderNode, ...]:
    """Every render node that the kernel has made."""
    return tuple(_render_node(tree, path, "dri") for path in tree.glob("sys/class/drm/renderD*"))


def probe_accel_nodes(tree: Tree) -> tuple[RenderNode, ...]:
    """Every compute accelerator of the kernel's `accel` subsystem."""
    return tuple(_render_node(tree, path, "accel") for path in tree.glob("sys/class/accel/accel*"))


def _render_node(tree: Tree, path: Path, folder: str) -> RenderNode:
    told = uevent(tree, path / "device")
    return RenderNode(
        f"/dev/{folder}/{path.name}", device_id(tree, path / "device"), told.get("DRIVER", ""), told.get("OF_COMPATIBLE_0", "")
    )
