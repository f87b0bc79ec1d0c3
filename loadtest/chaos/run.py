"""Play scenarios one after the other on one server under steady load."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from loadtest.chaos import small_disks
from loadtest.chaos.known import Known, learn, questions
from loadtest.chaos.report import Outcome, outcome
from loadtest.chaos.server import Server
from loadtest.chaos.stage import Scenario, Stage
from loadtest.chaos.traffic import Traffic
from loadtest.questions import Fate
from loadtest.services import ROOT
from triptych_server.models.use import use_folder
from triptych_server.models.use_faces import use_faces
from triptych_server.repository import Repository

MOST_SECONDS = 300.0
LEAD_SECONDS = 1.0
AFTERWARDS = "what is left"


def play(scenarios: Sequence[Scenario], profile: str, rescue_after: float, console: Console) -> list[Outcome]:
    """All of them, those with file systems of their own on a server of their own. What could not be played says so in a note."""
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="chaos-") as scratch:
        for own_disks in (False, True):
            chosen = [scenario for scenario in scenarios if scenario.own_disks == own_disks]
            folder = Path(scratch) / f"own-disks-{own_disks}"
            folder.mkdir()
            reason = small_disks.why_not(folder) if own_disks and chosen else ""
            if reason:
                outcomes += [Outcome(each.name, {}, 0, None, (), (), (f"not played: {reason}",)) for each in chosen]
            elif chosen:
                outcomes += _play_on(demo_server(folder, profile, own_disks=own_disks), chosen, folder, rescue_after, console)
    return outcomes


def demo_server(folder: Path, profile: str, *, own_disks: bool) -> Server:
    """One of the demo's models, in a copy of the checkout, with all that is its own in `folder`; not yet started."""
    checkout = Repository.locate(ROOT)
    repository = checkout.copy_to(folder / "repository")
    use_folder(checkout.demo_weights, repository)
    use_faces(checkout.demo_faces, repository)
    return Server(repository, folder, profile, own_disks=own_disks)


def _play_on(server: Server, scenarios: Sequence[Scenario], folder: Path, rescue_after: float, console: Console) -> list[Outcome]:
    asked = questions(folder / "photos")
    with server:
        known = asyncio.run(learn(server.address, asked))
        outcomes = []
        for scenario in scenarios:
            console.log(scenario.name)
            outcomes.append(_play(scenario, server, known, rescue_after))
            if Fate.NOT_THERE in outcomes[-1].counts:
                server.stop()  # Triton was started anew: an engine does that a few times only, and each scenario is to find a fresh one
        seconds = server.stop()
        left = server.left_behind()
    broken = (f"left behind: {', '.join(left)}",) if left else ()
    return [*outcomes, Outcome(AFTERWARDS, {}, 0, 0.0, (f"ended {seconds:.1f} s after SIGTERM",), (), broken)]


def _play(scenario: Scenario, server: Server, known: Known, rescue_after: float) -> Outcome:
    if not server.runs:
        server.start()
    with Traffic(server.address, known) as traffic:
        time.sleep(LEAD_SECONDS)
        stage = Stage(server, traffic, rescue_after)
        try:
            scenario.act(stage)
            failure = ""
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
        well = stage.heal(lambda: scenario.rescue(stage), MOST_SECONDS)
    found = outcome(
        scenario.name, traffic.told, stage.fault, allowed=scenario.allowed, within=scenario.within, well=well, notes=stage.notes
    )
    if not failure:
        return found
    return replace(found, broken=(failure, *found.broken))
