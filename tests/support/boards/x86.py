"""x86-64 machines without a graphics card that anyone computes on, and Intel's with iGPU and NPU."""

from tests.support.boards.build import Board, libraries, packages, pci, render_node, without

RUNTIMES = packages("onnxruntime-1.31.1", "openvino-2026.4.1")


def cpuinfo(vendor: str, name: str, cores: int, flags: str) -> str:
    """/proc/cpuinfo of x86-64."""
    common = "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov sse sse2 ht syscall nx lm constant_tsc pni ssse3 fma cx16 sse4_1 sse4_2"
    return "".join(
        f"processor\t: {index}\nvendor_id\t: {vendor}\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: {name}\nstepping\t: 8\n"
        f"cpu MHz\t\t: 2400.000\nflags\t\t: {common} {flags}\nbugs\t\t: spectre_v1 spectre_v2\npower management:\n\n"
        for index in range(cores)
    )


PLAIN_SERVER: Board = {
    "proc/cpuinfo": cpuinfo("AuthenticAMD", "AMD EPYC 9354P 32-Core Processor", 2, "avx avx2 avx512f avx512_bf16 avx512_vnni"),
    "proc/1/cgroup": "0::/init.scope\n",
    "sys/class/dmi/id/sys_vendor": "Supermicro\n",
    "sys/class/dmi/id/product_name": "AS -1015A-MT\n",
    **pci("0000:c3:00.0", "1a03", "2000", "0x030000", "ast"),  # the management controller's VGA
    **RUNTIMES,
}

N100: Board = {
    "proc/cpuinfo": cpuinfo("GenuineIntel", "Intel(R) N100", 4, "avx avx2 avx_vnni"),
    "sys/class/dmi/id/sys_vendor": "Beelink\n",
    "sys/class/dmi/id/product_name": "MINI S\n",
    **pci("0000:00:02.0", "8086", "46d1", "0x030000", "i915"),
    **render_node("renderD128", "8086", "46d1", "i915"),
    "dev/dri/renderD128": "",
    **libraries("libOpenCL.so.1"),
    "etc/OpenCL/vendors/intel.icd": "/usr/lib/x86_64-linux-gnu/intel-opencl/libigdrcl.so\n",
    **RUNTIMES,
}

CORE_ULTRA: Board = {
    "proc/cpuinfo": cpuinfo("GenuineIntel", "Intel(R) Core(TM) Ultra 7 155H", 22, "avx avx2 avx_vnni"),
    "sys/class/dmi/id/product_name": "NUC14RVH\n",
    **pci("0000:00:02.0", "8086", "7d55", "0x030000", "i915"),
    **pci("0000:00:0b.0", "8086", "7d1d", "0x120000", "intel_vpu"),
    **render_node("renderD128", "8086", "7d55", "i915"),
    **render_node("accel0", "8086", "7d1d", "intel_vpu", "accel"),
    "dev/dri/renderD128": "",
    "dev/accel/accel0": "",
    **libraries("libOpenCL.so.1", "libze_loader.so.1", "libze_intel_npu.so.1"),
    "etc/OpenCL/vendors/intel.icd": "/usr/lib/x86_64-linux-gnu/intel-opencl/libigdrcl.so\n",
    **RUNTIMES,
}

CORE_ULTRA_BARE: Board = without(CORE_ULTRA, "dev/accel", "usr/lib", "etc/OpenCL")
"""Without the drivers, and with a kernel that made no node for the NPU."""
