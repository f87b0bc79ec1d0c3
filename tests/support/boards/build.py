"""From a board's description to a folder that the probes can read."""

from collections.abc import Mapping
from pathlib import Path


class Secret(str):
    """The content of a file that only its owner and group may open, as a device node of a group that one is not in."""

    __slots__ = ()


Board = Mapping[str, str | bytes]
"""Content by path; device nodes are empty files, as nodes cannot be made without root."""


def build(board: Board, root: Path) -> Path:
    """Write a board's files below a folder."""
    for path, content in board.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        file.chmod(0o660 if isinstance(content, Secret) else 0o666)
    return root


def without(board: Board, *beginnings: str) -> Board:
    """The board less the files below these."""
    return {path: content for path, content in board.items() if not path.startswith(beginnings)}


def packages(*names: str, site: str = "opt/triptych/lib/python3.11/site-packages") -> Board:
    """Installed Python packages, as `openvino-2026.4.1`."""
    return {f"{site}/{name}.dist-info/METADATA": "" for name in names}


def libraries(*names: str, folder: str = "usr/lib/x86_64-linux-gnu") -> Board:
    """Shared libraries."""
    return {f"{folder}/{name}": "\x7fELF" for name in names}


def pci(address: str, vendor: str, device: str, kind: str, driver: str) -> Board:
    """A function on the PCI bus."""
    folder = f"sys/bus/pci/devices/{address}"
    return {
        f"{folder}/vendor": f"0x{vendor}\n",
        f"{folder}/device": f"0x{device}\n",
        f"{folder}/class": f"{kind}\n",
        f"{folder}/uevent": f"DRIVER={driver}\nPCI_CLASS={kind[2:].upper()}\nPCI_SLOT_NAME={address}\n",
    }


def render_node(name: str, vendor: str, device: str, driver: str, subsystem: str = "drm") -> Board:
    """What the kernel tells of a render or accel node of a PCI device."""
    folder = f"sys/class/{subsystem}/{name}/device"
    return {f"{folder}/vendor": f"0x{vendor}\n", f"{folder}/device": f"0x{device}\n", f"{folder}/uevent": f"DRIVER={driver}\n"}
