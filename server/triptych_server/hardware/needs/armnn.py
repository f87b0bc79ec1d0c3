"""armnn: a Mali GPU under the vendor's driver (/dev/mali0), the vendor's libmali.so and firmware, LiteRT and Arm NN's delegate."""

from triptych_server.hardware.finding import HARDWARE, Finding, missing, ok, warning
from triptych_server.hardware.machine import Machine
from triptych_server.hardware.mali import FIRMWARE
from triptych_server.hardware.needs import runtimes
from triptych_server.hardware.needs.access import access

LIBRARY = "/usr/lib/libmali.so"
VENDOR_IMAGE = "an image of the board's maker, whose kernel has the driver mali_kbase"


def armnn(machine: Machine) -> list[Finding]:
    """What the profile `armnn` needs."""
    mali = machine.mali
    if not mali.model:
        return [missing(HARDWARE, "no Mali GPU", "an Arm Mali GPU")]
    findings = [ok(HARDWARE, mali.model), _node(machine), _library(machine)]
    if mali.needs_firmware:
        findings.append(_firmware(machine))
    if mali.library and mali.icd:
        mend = f"echo {mali.library} | sudo tee /etc/OpenCL/vendors/mali.icd"
        expected = "libmali.so named in /etc/OpenCL/vendors, or no libOpenCL.so, which is tried first"
        findings.append(warning("OpenCL", "libOpenCL.so is here and does not know libmali.so", expected, mend))
    return [*findings, runtimes.package(machine, "ai-edge-litert"), _delegate(machine)]


def _node(machine: Machine) -> Finding:
    mali = machine.mali
    if mali.open_driver:
        advice = f"use {VENDOR_IMAGE}"
        mend = machine.container.advice(host=advice, container=f"on the host: {advice}")
        return missing(
            "device access", f"the open driver {mali.open_driver}, without /dev/mali0", "/dev/mali0 of the vendor's driver", mend
        )
    return access(machine, mali.nodes, "/dev/mali0", "video", f"use {VENDOR_IMAGE}")


def _library(machine: Machine) -> Finding:
    mali = machine.mali
    if mali.library:
        return runtimes.libraries(
            machine, ("libmali.so",), "a libmali.so that fits the kernel driver", "install the board maker's libmali package"
        )
    expected = f"{LIBRARY}, the vendor's OpenCL"
    if mali.libraries:
        mend = f"sudo ln -s {mali.libraries[0]} {LIBRARY} && sudo ldconfig"
        return missing("libmali", f"only {mali.libraries[0]}", expected, mend)
    host = "install the board maker's libmali package (on Rockchip: libmali-valhall-g610-…, libmali-bifrost-g52-…)"
    return missing("libmali", "no libmali.so", expected, machine.container.advice(host=host, container=_mount(LIBRARY)))


def _firmware(machine: Machine) -> Finding:
    if machine.mali.firmware:
        return ok("firmware", f"/{FIRMWARE}")
    host = f"install the board maker's firmware package, which has /{FIRMWARE}"
    found, expected = f"no /{FIRMWARE}", f"the firmware of {machine.mali.model}"
    return missing("firmware", found, expected, machine.container.advice(host=host, container=_mount(f"/{FIRMWARE}")))


def _delegate(machine: Machine) -> Finding:
    if not machine.mali.delegates:
        mend = "install Arm NN (github.com/ARM-software/armnn/releases, aarch64) with libarmnnDelegate.so into /usr/local/lib"
        return missing("Arm NN delegate", "no libarmnnDelegate.so", "libarmnnDelegate.so with Arm NN's libraries beside it", mend)
    problem = machine.load_problems.get("libarmnnDelegate.so", "")
    if problem:
        return missing(
            "Arm NN delegate", problem, f"{machine.mali.delegates[0]} loads", "put all of Arm NN's libraries beside it; sudo ldconfig"
        )
    return ok("Arm NN delegate", machine.mali.delegates[0])


def _mount(path: str) -> str:
    return f'compose: volumes: ["{path}:{path}:ro"]'
