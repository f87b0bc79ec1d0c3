"""x86-64 machines with a card of AMD's."""

from tests.support.boards.build import Board, Secret, libraries, packages, pci, render_node, without
from tests.support.boards.x86 import cpuinfo

PROVIDERS = {
    f"opt/triptych/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime_providers_{name}.so": "\x7fELF"
    for name in ("shared", "migraphx")
}


def kfd_node(index: int, name: str, version: int, simds: int) -> Board:
    """A node of the kernel's compute topology; processors are nodes too."""
    folder = f"sys/class/kfd/kfd/topology/nodes/{index}"
    properties = f"cpu_cores_count {0 if simds else 16}\nsimd_count {simds}\nmem_banks_count 1\nvendor_id {4098 if simds else 0}\n"
    return {f"{folder}/name": f"{name}\n", f"{folder}/properties": f"{properties}gfx_target_version {version}\nlocation_id 768\n"}


def card(name: str, device: str, version: int) -> Board:
    """One card with the amdgpu driver and ROCm 7."""
    return {
        "proc/cpuinfo": cpuinfo("AuthenticAMD", "AMD Ryzen 7 5800X 8-Core Processor", 16, "avx avx2"),
        **pci("0000:0b:00.0", "1002", device, "0x030000", "amdgpu"),
        **render_node("renderD128", "1002", device, "amdgpu"),
        **kfd_node(0, "", 0, 0),
        **kfd_node(1, name, version, 160),
        "dev/kfd": "",
        "dev/dri/renderD128": "",
        **libraries("libamdhip64.so.7", "libmigraphx_c.so.3", folder="opt/rocm/lib"),
        **packages("onnxruntime_migraphx-1.27.1", "openvino-2026.4.1"),
        **PROVIDERS,
    }


RADEON_6800: Board = card("navi21", "73bf", 100300)
RADEON_6700: Board = card("navi22", "73df", 100301)
RADEON_6800_IN_CONTAINER: Board = without(RADEON_6800, "dev/kfd") | {
    ".dockerenv": "",
    "dev/dri/renderD128": Secret(),
    "dev/kfd": Secret(),
}
"""The devices are passed in, the groups are not."""
