"""The processor, from /proc/cpuinfo."""

import platform
from collections import Counter
from dataclasses import dataclass

from triptych_server.hardware.tree import Tree

FEATURES = (
    "sse4_2",
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "asimddp",
    "bf16",
    "i8mm",
)
"""Those that make inference faster, of x86-64 and of Arm."""

ARM_CORES = {
    "0xd03": "Cortex-A53",
    "0xd05": "Cortex-A55",
    "0xd08": "Cortex-A72",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd40": "Neoverse-V1",
    "0xd49": "Neoverse-N2",
}
"""`CPU part` of Arm Ltd., which writes no names into /proc/cpuinfo (MIDR_EL1 in the cores' reference manuals)."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """`architecture` is x86_64, aarch64 or what the machine calls itself; `cores` counts the processors that Linux shows."""

    name: str
    vendor: str
    architecture: str
    cores: int
    features: tuple[str, ...]

    @property
    def is_x86(self) -> bool:
        return self.architecture == "x86_64"

    @property
    def is_arm64(self) -> bool:
        return self.architecture == "aarch64"

    @property
    def is_intel(self) -> bool:
        return self.vendor == "GenuineIntel"


def probe_cpu(tree: Tree) -> Cpu:
    """The processor."""
    entries = _entries(tree.text("proc/cpuinfo"))
    first = entries[0] if entries else {}
    flags = set((first.get("flags") or first.get("Features", "")).split())
    return Cpu(
        name=first.get("model name") or _arm_name(entries),
        vendor=first.get("vendor_id", ""),
        architecture=_architecture(tree, first, flags),
        cores=len(entries),
        features=tuple(name for name in FEATURES if name in flags),
    )


def _entries(text: str) -> list[dict[str, str]]:
    """One per processor; a paragraph without the key `processor` is about the board."""
    paragraphs = [dict(_pair(line) for line in part.splitlines() if ":" in line) for part in text.split("\n\n")]
    return [entry for entry in paragraphs if "processor" in entry]


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()


def _architecture(tree: Tree, first: dict[str, str], flags: set[str]) -> str:
    if tree.live:
        machine = platform.machine().lower()
        return {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    if "lm" in flags:  # long mode
        return "x86_64"
    return "aarch64" if first.get("CPU architecture") == "8" else ""


def _arm_name(entries: list[dict[str, str]]) -> str:
    parts = Counter(entry.get("CPU part", "") for entry in entries if entry.get("CPU implementer") == "0x41")
    return " + ".join(f"{count} x {ARM_CORES.get(part, f'Arm {part}')}" for part, count in sorted(parts.items(), reverse=True))
