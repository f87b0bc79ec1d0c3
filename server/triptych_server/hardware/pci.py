"""PCI functions that draw or compute: containers see them in sysfs even where their device nodes are not passed in."""

from dataclasses import dataclass
from pathlib import Path

from triptych_server.hardware.tree import Tree

DISPLAY, ACCELERATOR = "0x03", "0x12"
"""First byte of the PCI class."""


@dataclass(frozen=True, slots=True)
class PciDevice:
    """Ids as `8086:46d1`; the kernel driver is empty when none is bound."""

    id: str
    kind: str
    driver: str


def probe_pci(tree: Tree) -> tuple[PciDevice, ...]:
    """Every display controller and processing accelerator."""
    found = ((path, tree.text(path / "class")[:4]) for path in tree.glob("sys/bus/pci/devices/*"))
    return tuple(PciDevice(device_id(tree, path), kind, driver_of(tree, path)) for path, kind in found if kind in (DISPLAY, ACCELERATOR))


def device_id(tree: Tree, device: Path) -> str:
    """`vendor:device` of a device's folder in sysfs; a lone colon when it is on no bus that has ids."""
    return ":".join(tree.text(device / name).removeprefix("0x").lower() for name in ("vendor", "device"))


def driver_of(tree: Tree, device: Path) -> str:
    """The kernel driver, as the device's uevent tells."""
    return uevent(tree, device).get("DRIVER", "")


def uevent(tree: Tree, device: Path) -> dict[str, str]:
    """What the kernel told udev about a device."""
    pairs = (line.partition("=") for line in tree.text(device / "uevent").splitlines())
    return {key: value for key, _, value in pairs}
