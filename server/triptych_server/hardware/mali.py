"""Arm Mali: the GPU, the vendor's kernel driver (/dev/mali0), its library and its firmware."""

import re
from dataclasses import dataclass

from triptych_server.hardware.device_tree import device_tree_words
from triptych_server.hardware.drm import RenderNode
from triptych_server.hardware.libraries import library_files
from triptych_server.hardware.nodes import Node, device_nodes
from triptych_server.hardware.tree import Tree

FIRMWARE = "lib/firmware/mali_csffw.bin"
OPEN_DRIVERS = ("panthor", "panfrost", "lima")
"""Kernel drivers that make a render node instead of /dev/mali0; Arm's library does not speak to them."""


@dataclass(frozen=True, slots=True)
class Mali:
    """`model` is as `Mali-G610`, or `Mali` where only the device tree tells; `libraries` are every libmali there is, `library`
    the one under the name that is opened, `delegates` Arm NN's; `icd` says whether the OpenCL loader stands before the
    library without knowing it."""

    model: str
    nodes: tuple[Node, ...]
    open_driver: str
    library: str
    libraries: tuple[str, ...]
    firmware: bool
    delegates: tuple[str, ...]
    icd: bool

    @property
    def needs_firmware(self) -> bool:
        """Whether it is of those with a command stream frontend, whose microcontroller runs a firmware (Mali-G310 and from G510 on)."""
        number = int(found[1]) if (found := re.search(r"G(\d{3})", self.model)) else 0
        return number == 310 or number >= 510


def probe_mali(tree: Tree, render: tuple[RenderNode, ...]) -> Mali:
    """The Mali GPU, if any."""
    nodes = device_nodes(tree, "dev/mali[0-9]")
    libraries = [f"/{path}" for path in library_files(tree, "libmali*.so*")]
    vendors = [tree.text(path).lower() + path.name.lower() for path in tree.glob("etc/OpenCL/vendors/*.icd")]
    open_driver = next((node.driver for node in render if node.driver in OPEN_DRIVERS), "")
    return Mali(
        model=_model(tree) or ("Mali" if nodes or open_driver else ""),
        nodes=nodes,
        open_driver="" if nodes else open_driver,
        library=next((path for path in libraries if path.endswith("/libmali.so")), ""),
        libraries=tuple(libraries),
        firmware=tree.exists(FIRMWARE),
        delegates=tuple(f"/{path}" for path in library_files(tree, "libarmnnDelegate.so*")),
        icd=bool(library_files(tree, "libOpenCL.so*")) and not any("mali" in vendor for vendor in vendors),
    )


def _model(tree: Tree) -> str:
    """As the vendor's driver tells (`Mali-G610 4 cores r0p0 0xA867`), else that the device tree has one."""
    found = re.match(r"Mali-[A-Z]\d+", tree.text("sys/class/misc/mali0/device/gpuinfo"), re.ASCII)
    if found:
        return found[0]
    return "Mali" if any(word.startswith("arm,mali") for word in device_tree_words(tree, "gpu*/compatible")) else ""
