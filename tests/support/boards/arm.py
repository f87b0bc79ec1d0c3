"""64-bit Arm boards: Rockchip's with NPU and Mali, and one that has neither."""

from tests.support.boards.build import Board, packages, without

RUNTIMES = packages("onnxruntime-1.31.1")
RK3588 = b"rockchip,rk3588\0"


def cpuinfo(*parts: str) -> str:
    """/proc/cpuinfo of 64-bit Arm, one processor for each part number."""
    return "".join(
        f"processor\t: {index}\nBogoMIPS\t: 48.00\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp\n"
        f"CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x2\nCPU part\t: {part}\nCPU revision\t: 0\n\n"
        for index, part in enumerate(parts)
    )


def librknnrt(release: str) -> bytes:
    """A library with the sentence that tells its release somewhere inside."""
    return b"\x7fELF" + bytes(5000) + f"librknnrt version: {release} (429f97ae6b@2025-04-09T09:09:27)\0".encode() + bytes(5000)


RK3588_CORES = cpuinfo(*["0xd05"] * 4, *["0xd0b"] * 4) + "Serial\t\t: 0a1b2c3d4e5f6071\n"

ROCK_5B: Board = {
    "proc/cpuinfo": RK3588_CORES,
    "proc/device-tree/compatible": b"radxa,rock-5b\0" + RK3588,
    "proc/device-tree/model": b"Radxa ROCK 5B\0",
    "sys/kernel/debug/rknpu/version": "RKNPU driver: v0.9.8\n",
    "sys/class/drm/renderD128/device/uevent": "DRIVER=mali\nOF_NAME=display-subsystem\n",
    "sys/class/drm/renderD129/device/uevent": "DRIVER=RKNPU\nOF_NAME=npu\nOF_FULLNAME=/npu@fdab0000\nOF_COMPATIBLE_0=rockchip,rk3588-rknpu\n",
    "dev/dri/renderD128": "",
    "dev/dri/renderD129": "",
    "usr/lib/librknnrt.so": librknnrt("2.5.0"),
    **RUNTIMES,
    **packages("rknn_toolkit_lite2-2.5.0"),
}

ROCK_5B_OLD_DRIVER: Board = {**ROCK_5B, "sys/kernel/debug/rknpu/version": "RKNPU driver: v0.8.2\n"}

ROCK_5B_IN_CONTAINER: Board = without(ROCK_5B, "proc/device-tree", "sys/kernel") | {
    ".dockerenv": "",
    "sys/module/rknpu/version": "0.9.8\n",
}
"""Docker hides the device tree and debugfs unless it is told systempaths=unconfined."""

ORANGE_PI_5: Board = {
    "proc/cpuinfo": RK3588_CORES,
    "proc/device-tree/compatible": b"rockchip,rk3588s-orangepi-5\0" + RK3588,
    "proc/device-tree/model": b"Orange Pi 5\0",
    "proc/device-tree/gpu@fb000000/compatible": b"arm,mali-bifrost\0",
    "sys/class/misc/mali0/device/gpuinfo": "Mali-G610 4 cores r0p0 0xA867\n",
    "dev/mali0": "",
    "usr/lib/libmali.so": "\x7fELF",
    "lib/firmware/mali_csffw.bin": "firmware",
    "usr/local/lib/libarmnnDelegate.so": "\x7fELF",
    **RUNTIMES,
    **packages("ai_edge_litert-2.3.0"),
}
"""The NPU's driver is not in its kernel; the GPU's is."""

ORANGE_PI_5_WITHOUT_LIBMALI: Board = without(ORANGE_PI_5, "usr/lib/libmali", "lib/firmware")

RASPBERRY_PI_5: Board = {
    "proc/cpuinfo": cpuinfo(*["0xd0b"] * 4)
    + "Revision\t: c04170\nSerial\t\t: 10000000abcdef01\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n",
    "proc/device-tree/compatible": b"raspberrypi,5-model-b\0brcm,bcm2712\0",
    "proc/device-tree/model": b"Raspberry Pi 5 Model B Rev 1.0\0",
    "sys/class/drm/renderD128/device/uevent": "DRIVER=v3d\nOF_NAME=v3d\nOF_COMPATIBLE_0=brcm,2712-v3d\n",
    "dev/dri/renderD128": "",
    **RUNTIMES,
    **packages("openvino-2026.4.1"),
}
