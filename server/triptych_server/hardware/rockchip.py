"""Rockchip: the SoC, the driver of its NPU and the runtime library."""

import mmap
import re
from dataclasses import dataclass
from pathlib import Path

from triptych_server.hardware.device_tree import device_tree_words
from triptych_server.hardware.drm import RenderNode
from triptych_server.hardware.libraries import library_files
from triptych_server.hardware.nodes import Node, device_nodes
from triptych_server.hardware.tree import Tree
from triptych_server.hardware.versions import find_version

DRIVER_FILES = ("sys/kernel/debug/rknpu/version", "proc/rknpu/version", "sys/module/rknpu/version")
"""The first needs root and debugfs, the second a kernel option; the third is there with any driver that carries a module version."""

DRIVER = "RKNPU"
OPEN_DRIVER = "rocket"


@dataclass(frozen=True, slots=True)
class Rockchip:
    """`soc` is as `rk3588`, by the device tree or, where that is hidden (`tree_readable` is false), by what udev knows of the
    NPU; `npu` says whether the vendor's driver is bound to it, `driver` its version if it tells; `library` is librknnrt.so."""

    soc: str
    tree_readable: bool
    npu: bool
    open_driver: bool
    driver: str
    nodes: tuple[Node, ...]
    library: str
    library_version: str


def probe_rockchip(tree: Tree, render: tuple[RenderNode, ...], accel: tuple[RenderNode, ...]) -> Rockchip:
    """The Rockchip SoC, if it is one."""
    words = device_tree_words(tree, "compatible")
    npus = [node for node in render if node.driver == DRIVER]
    soc = _soc(words) or _soc(tuple(node.compatible for node in (*npus, *accel)))
    driver = next((found for file in DRIVER_FILES if (found := find_version(tree.text(file)))), "")
    nodes = [node for npu in npus for node in device_nodes(tree, npu.node.lstrip("/"))]
    library = next(iter(library_files(tree, "librknnrt.so")), None) if soc else None
    return Rockchip(
        soc=soc,
        tree_readable=bool(words),
        npu=bool(npus or driver),
        open_driver=any(node.driver == OPEN_DRIVER for node in accel),
        driver=driver,
        nodes=tuple(nodes) or device_nodes(tree, "dev/rknpu"),
        library=f"/{library}" if library else "",
        library_version=runtime_version(tree.root / library) if library else "",
    )


def _soc(compatible: tuple[str, ...]) -> str:
    found = (re.match(r"rockchip,(rk\d{4}|rv\d{4}b?)", word, re.ASCII) for word in reversed(compatible))  # the SoC stands last
    return next((match[1] for match in found if match), "")


def runtime_version(library: Path) -> str:
    """The release in the text `librknnrt version: 2.3.2 (…)` inside the library; empty when there is none."""
    try:
        with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = re.search(rb"librknnrt version: (\d{1,4}(?:\.\d{1,4})+)", data)
            return found[1].decode() if found else ""
    except (OSError, ValueError):  # unreadable; empty
        return ""
