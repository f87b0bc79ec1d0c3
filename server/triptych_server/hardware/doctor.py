"""The doctor: a machine -> what every profile finds and lacks on it -> the profile that fits best, and why."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from triptych_server.hardware.finding import HARDWARE, Finding, Status
from triptych_server.hardware.machine import Machine, probe
from triptych_server.hardware.needs import NEEDS

TARGETS = {"Intel GPU": "GPU", "Intel NPU": "NPU"}
"""What OpenVINO also runs on, by the `what` of its finding, when it is told to."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one profile. `available` says whether the repository has it, `worthwhile` whether it would ever be recommended here."""

    profile: str
    available: bool
    worthwhile: bool
    findings: tuple[Finding, ...]

    @property
    def hardware(self) -> bool:
        """Whether the machine has the hardware that the profile is for."""
        return not any(finding.what == HARDWARE and finding.status is Status.MISSING for finding in self.findings)

    @property
    def runs(self) -> bool:
        """Whether the machine has everything that the profile needs."""
        return not self.missing

    @property
    def missing(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.status is Status.MISSING)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.status is Status.WARNING)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`verdicts` stand in the order of worth; `recommended` is the profile that `auto` takes, `why` a clause."""

    machine: Machine
    verdicts: tuple[Verdict, ...]
    recommended: str
    why: str

    def verdict(self, profile: str) -> Verdict | None:
        """On a profile, if the doctor knows it."""
        return next((verdict for verdict in self.verdicts if verdict.profile == profile), None)


def examine(available: Collection[str], root: Path = Path("/"), *, ask_runtimes: bool = False) -> Diagnosis:
    """Probe the machine, or a recorded tree of one; `available` are the profiles that the repository has."""
    return diagnose(probe(root, ask_runtimes=ask_runtimes), available)


def diagnose(machine: Machine, available: Collection[str]) -> Diagnosis:
    """What can run, and what should: a pure function of the machine."""
    verdicts = tuple(
        Verdict(profile, profile in available, _is_worthwhile(machine, profile), tuple(needs(machine))) for profile, needs in NEEDS.items()
    )
    recommended, why = _recommend(machine, verdicts)
    return Diagnosis(machine, verdicts, recommended, why)


def _is_worthwhile(machine: Machine, profile: str) -> bool:
    """OpenVINO is ahead of ONNX Runtime in f32 on Intel and wherever there is AVX2, more so with bf16; on Arm that was not measured."""
    return profile != "openvino" or machine.cpu.is_intel or "avx2" in machine.cpu.features


def _recommend(machine: Machine, verdicts: tuple[Verdict, ...]) -> tuple[str, str]:
    candidates = [verdict for verdict in verdicts if verdict.runs and verdict.worthwhile]
    best = next((verdict for verdict in candidates if verdict.available), None)
    if best is None:
        return "cpu", "nothing else can run here"
    better = [verdict.profile for verdict in candidates[: candidates.index(best)]]
    absent = f"; {' and '.join(better)} could run here, but this repository does not have {'them' if len(better) > 1 else 'it'}"
    return best.profile, _reason(machine, best) + (absent if better else "")


def _reason(machine: Machine, verdict: Verdict) -> str:
    found = next(finding.found for finding in verdict.findings if finding.what == HARDWARE)
    match verdict.profile:
        case "cpu":
            return f"it runs on anything, and nothing that is known to be faster can be served on {found}"
        case "openvino":
            bf16 = any(name in machine.cpu.features for name in ("amx_bf16", "avx512_bf16"))
            here = [finding.what for finding in verdict.findings if finding.what in TARGETS and finding.status is Status.OK]
            others = "".join(f"; on the {what}: --target-device {TARGETS[what]}" for what in here)
            return f"faster than ONNX Runtime on {found}{', in bf16' if bf16 else ''}{others}"
        case _:
            return f"{found} is here, with everything that it needs"
