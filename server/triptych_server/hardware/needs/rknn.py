"""rknn: a Rockchip SoC with an NPU, its kernel driver, librknnrt.so and rknn-toolkit-lite2 of one release."""

from triptych_server.hardware.finding import HARDWARE, Finding, missing, ok, warning
from triptych_server.hardware.machine import Machine
from triptych_server.hardware.needs import runtimes
from triptych_server.hardware.needs.access import access
from triptych_server.hardware.versions import find_version, version

SOCS = ("rk3566", "rk3568", "rk3576", "rk3588")
DRIVER = "0.9.8"
PACKAGE = "rknn-toolkit-lite2"
NEW_KERNEL = "sudo apt update && sudo apt full-upgrade && sudo reboot, on an image with Rockchip's kernel 6.1 (vendor, not mainline)"
SHOW_TREE = "compose: security_opt: [systempaths=unconfined, apparmor=unconfined]; docker run: --security-opt systempaths=unconfined"


def rknn(machine: Machine) -> list[Finding]:
    """What the profile `rknn` needs (Rockchip's RKNPU2 user guide)."""
    rockchip = machine.rockchip
    if rockchip.soc not in SOCS:
        if machine.cpu.is_arm64 and machine.container.kind and not (rockchip.soc or rockchip.tree_readable):
            expected = "the device tree, which names the SoC"
            return [
                missing(
                    HARDWARE, "an Arm board that hides /proc/device-tree in this container", expected, f"if it is a Rockchip: {SHOW_TREE}"
                )
            ]
        return [missing(HARDWARE, rockchip.soc.upper() or "no Rockchip NPU", ", ".join(SOCS).upper())]
    findings = [ok(HARDWARE, rockchip.soc.upper())]
    if not rockchip.tree_readable:
        expected = "a readable one, as the runtime takes the SoC from it"
        findings.append(
            missing(
                "device tree",
                "/proc/device-tree is hidden",
                expected,
                machine.container.advice(host="mount /proc and /sys", container=SHOW_TREE),
            )
        )
    return [*findings, *_driver(machine), *_runtime(machine)]


def _driver(machine: Machine) -> list[Finding]:
    rockchip, expected = machine.rockchip, f"RKNPU driver {DRIVER} or newer"
    mend = machine.container.advice(host=NEW_KERNEL, container=f"on the host: {NEW_KERNEL}")
    if not rockchip.npu:
        found = "the open driver rocket, which librknnrt does not know" if rockchip.open_driver else "no RKNPU driver"
        return [missing("NPU driver", found, expected, mend)]
    opened = access(machine, rockchip.nodes, "/dev/dri", "render", NEW_KERNEL)
    if not rockchip.driver:
        told = "sudo cat /sys/kernel/debug/rknpu/version"
        ask = machine.container.advice(host=told, container=f"on the host: {told}")
        return [warning("NPU driver", "there, but its version is not shown", expected, f"see for yourself: {ask}"), opened]
    if version(rockchip.driver) < version(DRIVER):
        return [missing("NPU driver", rockchip.driver, expected, mend), opened]
    return [ok("NPU driver", rockchip.driver), opened]


def _runtime(machine: Machine) -> list[Finding]:
    package, rockchip = machine.software.package(PACKAGE), machine.rockchip
    release = find_version(package.version) if package else ""
    expected = f"release {release}, that of {PACKAGE}" if release else f"the release of {PACKAGE}"
    source = f"github.com/airockchip/rknn-toolkit2{f', v{release}' * bool(release)}"
    mend = f"copy rknpu2/runtime/Linux/librknn_api/aarch64/librknnrt.so of {source} to /usr/lib, then sudo ldconfig"
    what = "librknnrt"
    if not rockchip.library:
        library = missing(what, "no librknnrt.so", f"/usr/lib/librknnrt.so, {expected}", mend)
    elif not rockchip.library_version:
        library = warning(what, f"{rockchip.library}, which does not tell its release", expected, mend)
    elif release and version(rockchip.library_version) < version(release):
        refused = f"{expected} (an older one refuses its models: Invalid RKNN model version)"
        library = missing(what, rockchip.library_version, refused, mend)
    elif release and version(rockchip.library_version) != version(release):
        library = warning(what, rockchip.library_version, expected, f"pip install {PACKAGE}=={rockchip.library_version}, or {mend}")
    else:
        library = ok(what, rockchip.library_version)
    return [library, runtimes.package(machine, PACKAGE)]
