"""Whether the runtime of a profile is installed, and its libraries load."""

from triptych_server.hardware.finding import Finding, missing, ok, warning
from triptych_server.hardware.machine import Machine

WHAT = "runtime"


def package(machine: Machine, name: str) -> Finding:
    """A runtime that is one Python package."""
    installed = machine.software.package(name)
    if installed:
        return ok(WHAT, f"{name} {installed.version}")
    return missing(WHAT, f"{name} is not installed", f"{name} in this Python", f"pip install {name}")


def onnxruntime(machine: Machine, name: str) -> list[Finding]:
    """The build of ONNX Runtime that carries the profile's execution provider. All builds lie in the same folder, and the one that was
    installed last has overwritten the others."""
    installed, others = machine.software.package(name), [each for each in machine.software.onnxruntimes if each.name != name]
    listed = ", ".join(f"{each.name} {each.version}" for each in others)
    remove = f"pip uninstall -y {' '.join(each.name for each in others)} && " if others else ""
    if installed is None:
        return [missing(WHAT, listed or "no ONNX Runtime", name, f"{remove}pip install {name}")]
    findings = [ok(WHAT, f"{name} {installed.version}")]
    if others:
        again = f"pip uninstall -y {' '.join(each.name for each in (installed, *others))} && pip install {name}"
        findings.append(warning("runtime alone", f"{name} beside {listed}", "one build of ONNX Runtime in this Python", again))
    return findings


def libraries(machine: Machine, names: tuple[str, ...], expected: str, mend: str) -> Finding:
    """That the libraries load; those that were not tried do not matter here. The loader's own words say which file it wants."""
    tried = {name: machine.load_problems[name] for name in names if name in machine.load_problems}
    problems = [f"{name}: {problem}" if name not in problem else problem for name, problem in tried.items() if problem]
    return missing("libraries", "; ".join(problems), expected, mend) if problems else ok("libraries", f"{', '.join(tried)} load")
