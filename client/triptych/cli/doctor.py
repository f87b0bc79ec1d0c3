"""`triptych doctor`: what this machine has, which profiles can run on it, and what mends those that cannot."""

import dataclasses
import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triptych.cli.console import CommandError, err, fail, out
from triptych.cli.diagnosis import lacks, print_diagnosis, print_verdict
from triptych.cli.server_side import server_side

if TYPE_CHECKING:  # the server part may not be installed
    from triptych_server.hardware.doctor import Diagnosis, Verdict

AUTO = "auto"


def doctor(
    profile: Annotated[str, typer.Option(help="Look closely at one profile; auto: at all of them, in short.")] = AUTO,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    root: Annotated[Path, typer.Option(help="Read the files of another machine, which lie below this folder.")] = Path("/"),
    repository: Annotated[Path | None, typer.Option(help="Folder with model_repository, python_models, ensembles.")] = None,
) -> None:
    """Show what this machine has, which profiles can run on it, and what mends those that cannot. Exit code 1 when the profile that was
    asked for, or the recommended one, cannot run."""
    if not root.is_dir():
        raise CommandError(f"--root {root}: there is no such folder")
    with server_side():
        from triptych_server.configs.profiles import profile_names
        from triptych_server.hardware.describe import describe
        from triptych_server.hardware.doctor import examine
        from triptych_server.repository import Repository

        with nullcontext() if as_json else err().status("looking at this machine"):
            diagnosis = examine(profile_names(Repository.locate(repository)), root.absolute(), ask_runtimes=True)
        described = describe(diagnosis.machine)
    verdict = diagnosis.verdict(diagnosis.recommended if profile == AUTO else profile)
    if verdict is None:
        known = ", ".join(each.profile for each in diagnosis.verdicts)
        raise CommandError(f"the doctor does not know profile {profile!r}; it knows auto, {known}")
    if as_json:
        typer.echo(json.dumps(as_data(diagnosis, verdict), indent=2))
    elif profile == AUTO:
        print_diagnosis(out(), described, diagnosis)
    else:
        print_verdict(out(), described, verdict)
    if problem := _problem(verdict):
        raise typer.Exit(fail(problem))


def as_data(diagnosis: "Diagnosis", asked: "Verdict") -> dict[str, Any]:
    """For JSON; docs/hardware.md says what the keys mean."""
    return {
        "profile": asked.profile,
        "ok": not _problem(asked),
        "recommended": diagnosis.recommended,
        "why": diagnosis.why,
        "profiles": [
            {
                "name": verdict.profile,
                "available": verdict.available,
                "hardware": verdict.hardware,
                "runs": verdict.runs,
                "findings": [dataclasses.asdict(finding) for finding in verdict.findings],
            }
            for verdict in diagnosis.verdicts
        ],
        "machine": dataclasses.asdict(diagnosis.machine),
    }


def _problem(verdict: "Verdict") -> str:
    """Why the profile cannot be served here; empty when it can."""
    if not verdict.runs:
        return f"profile {verdict.profile} cannot run here: {lacks(verdict)}"
    return "" if verdict.available else f"profile {verdict.profile} could run here, but this repository does not have it"
