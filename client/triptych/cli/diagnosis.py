"""The doctor's diagnosis on a terminal: the machine, the profiles with a mark each, and how to mend what they lack."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # the server part may not be installed
    from triptych_server.hardware.doctor import Diagnosis, Verdict
    from triptych_server.hardware.finding import Finding

Described = list[tuple[str, str]]

MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "missing": ("✗", "red"), "absent": ("–", "dim")}


def print_diagnosis(console: Console, machine: Described, diagnosis: "Diagnosis") -> None:
    """Every profile in a row; then, once each, the things that profiles lack whose hardware is here."""
    _print_machine(console, machine)
    _title(console, "Profiles")
    table = _grid()
    for verdict in diagnosis.verdicts:
        style = "bold" if verdict.profile == diagnosis.recommended else "dim" if not verdict.hardware else ""
        table.add_row(_mark(_state(verdict)), Text(verdict.profile, style), Text(_summary(verdict), "dim" if not verdict.hardware else ""))
    console.print(Padding(table, (0, 2), expand=False))
    _print_mends(console, diagnosis)
    _title(console, "Recommended")
    console.print(Padding(Text.assemble((diagnosis.recommended, "bold"), f": {diagnosis.why}"), (0, 2), expand=False))
    console.print(Padding(Text(f"triptych serve --profile {diagnosis.recommended}    (auto takes the same)", "dim"), (0, 2), expand=False))


def print_verdict(console: Console, machine: Described, verdict: "Verdict") -> None:
    """One profile with all that was looked at."""
    _print_machine(console, machine)
    _title(console, f"Profile {verdict.profile}")
    table = _grid()
    for finding in verdict.findings:
        table.add_row(_mark(finding.status), finding.what, _told(finding))
    console.print(Padding(table, (0, 2), expand=False))


def lacks(verdict: "Verdict") -> str:
    """What is missing, in a clause."""
    return "; ".join(finding.found if not verdict.hardware else f"{finding.what}: {finding.found}" for finding in verdict.missing)


def _print_machine(console: Console, machine: Described) -> None:
    _title(console, "This machine", first=True)
    table = Table.grid(padding=(0, 3))
    for what, text in machine:
        table.add_row(Text(what, "dim"), Text(text))
    console.print(Padding(table, (0, 2), expand=False))


def _print_mends(console: Console, diagnosis: "Diagnosis") -> None:
    """CUDA and TensorRT lack the same driver: each finding stands once, with the profiles that wait for it."""
    waiting: dict[Finding, list[str]] = {}
    for verdict in diagnosis.verdicts:
        for finding in (*verdict.missing, *verdict.warnings) if verdict.hardware and verdict.worthwhile else ():
            waiting.setdefault(finding, []).append(verdict.profile)
    if not waiting:
        return
    _title(console, "To mend")
    table = _grid()
    for finding, profiles in waiting.items():
        table.add_row(_mark(finding.status), ", ".join(profiles), Text.assemble(f"{finding.what}: ", _told(finding)))
    console.print(Padding(table, (0, 2), expand=False))


def _told(finding: "Finding") -> Text:
    """What was found, what was expected, and on a line of its own what to do."""
    text = Text(finding.found)
    if finding.expected:
        text.append(f"; expected {finding.expected}")
    if finding.mend:
        text.append(f"\n→ {finding.mend}", "cyan")
    return text


def _state(verdict: "Verdict") -> str:
    if not verdict.hardware:
        return "absent"
    if not verdict.runs:
        return "missing"
    return "warning" if verdict.warnings or not verdict.available else "ok"


def _summary(verdict: "Verdict") -> str:
    if not verdict.runs:
        return lacks(verdict)
    if not verdict.available:
        return "could run here, but this repository does not have it"
    return "can run" + (f", but see {', '.join(finding.what for finding in verdict.warnings)}" if verdict.warnings else "")


def _mark(state: str) -> Text:
    sign, style = MARKS[state]
    return Text(sign, style)


def _grid() -> Table:
    """Mark, name, text; the text folds."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _title(console: Console, text: str, *, first: bool = False) -> None:
    console.print(Text(text if first else f"\n{text}", "bold underline"))
