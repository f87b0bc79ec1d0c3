"""One thing that a profile needs: whether it is there, what was found, what was expected, and what mends it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

HARDWARE = "hardware"
"""The `what` of the finding that says whether the profile's hardware is here at all."""


class Status(StrEnum):
    """`warning`: the profile runs, but not as it could; `missing`: it does not run."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """`expected` and `mend` are empty when all is well. `mend` is a command, or the option of a container that helps."""

    status: Status
    what: str
    found: str
    expected: str = ""
    mend: str = ""


def ok(what: str, found: str) -> Finding:
    """As it should be."""
    return Finding(Status.OK, what, found)


def warning(what: str, found: str, expected: str, mend: str) -> Finding:
    """Not as it could be."""
    return Finding(Status.WARNING, what, found, expected, mend)


def missing(what: str, found: str, expected: str, mend: str = "") -> Finding:
    """Not there, or of no use."""
    return Finding(Status.MISSING, what, found, expected, mend)


def describe_missing(findings: Iterable[Finding]) -> list[str]:
    """Of those that are missing what was found, what was expected, and what mends it."""
    return [
        f"{finding.what}: {finding.found}, expected {finding.expected}" + f" ({finding.mend})" * bool(finding.mend)
        for finding in findings
        if finding.status is Status.MISSING
    ]
