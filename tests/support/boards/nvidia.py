"""x86-64 machines with a card of NVIDIA's."""

from tests.support.boards.build import Board, libraries, packages, pci, without
from tests.support.boards.x86 import cpuinfo

CAPI = "opt/triptych/lib/python3.11/site-packages/onnxruntime/capi"
PROVIDERS = {f"{CAPI}/libonnxruntime_providers_{name}.so": "\x7fELF" for name in ("shared", "cuda", "tensorrt")}
CUDA_13 = 'Name: onnxruntime-gpu\nRequires-Dist: numpy>=1.21.6\nRequires-Dist: nvidia-cuda-runtime~=13.0; extra == "cuda"\n'
CUDA_12 = 'Name: onnxruntime-gpu\nRequires-Dist: nvidia-cuda-runtime-cu12~=12.0; extra == "cuda"\n'
ONNXRUNTIME_GPU = packages("onnxruntime_gpu-1.31.1") | {
    "opt/triptych/lib/python3.11/site-packages/onnxruntime_gpu-1.31.1.dist-info/METADATA": CUDA_13,
    **PROVIDERS,
}


def card(name: str, device: str, driver: str, capability: str, memory: str) -> Board:
    """One card with NVIDIA's driver, as the kernel and nvidia-smi tell of it."""
    return {
        "proc/cpuinfo": cpuinfo("GenuineIntel", "Intel(R) Core(TM) i5-12400", 12, "avx avx2 avx_vnni"),
        **pci("0000:01:00.0", "10de", device, "0x030000", "nvidia"),
        "proc/driver/nvidia/version": f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {driver}  Thu Nov 16 01:59:08 UTC 2023\n"
        "GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04)\n",
        "proc/driver/nvidia/gpus/0000:01:00.0/information": f"Model: \t\t {name}\nIRQ:   \t\t 138\nVideo BIOS: \t 94.06.2f.00.a4\n"
        "Bus Type: \t PCIe\nDMA Size: \t 47 bits\nBus Location: \t 0000:01:00.0\nDevice Minor: \t 0\nGPU Excluded:\t No\n",
        "dev/nvidia0": "",
        "dev/nvidiactl": "",
        "dev/nvidia-uvm": "",
        "recorded/nvidia-smi.csv": f"{name}, {capability}, {driver}, {memory}\n",
        **libraries("libcuda.so.1"),
    }


RTX_3060: Board = {
    **card("NVIDIA GeForce RTX 3060", "2504", "580.95.05", "8.6", "12288 MiB"),
    **libraries("libnvinfer.so.10", "libnvonnxparser.so.10"),
    **packages("openvino-2026.4.1"),
    **ONNXRUNTIME_GPU,
}

RTX_3060_CUDA_12: Board = {
    **card("NVIDIA GeForce RTX 3060", "2504", "550.163.01", "8.6", "12288 MiB"),
    "opt/triptych/lib/python3.11/site-packages/onnxruntime_gpu-1.23.2.dist-info/METADATA": CUDA_12,
    **PROVIDERS,
}
"""Without TensorRT."""

RTX_3060_OLD_DRIVER: Board = {**RTX_3060, **card("NVIDIA GeForce RTX 3060", "2504", "535.183.01", "8.6", "12288 MiB")}

GTX_750: Board = {
    **card("NVIDIA GeForce GTX 750 Ti", "1380", "580.95.05", "5.0", "2048 MiB"),
    "opt/triptych/lib/python3.11/site-packages/onnxruntime_gpu-1.23.2.dist-info/METADATA": CUDA_12,
    **PROVIDERS,
}

RTX_3060_IN_CONTAINER: Board = without(RTX_3060, "dev/", "recorded/", "usr/lib/x86_64-linux-gnu/libcuda") | {".dockerenv": ""}
"""Started without --gpus: the kernel shows its driver all the same."""
