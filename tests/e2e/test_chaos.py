"""The chaos suite's short form on the real Triton: broken and stalled connections, a killed process, SIGTERM, all under load."""

import pytest
from rich.console import Console

from loadtest.chaos.run import AFTERWARDS, MOST_SECONDS, play
from loadtest.chaos.scenarios import SCENARIOS
from loadtest.questions import Fate

SHORT = [scenario for scenario in SCENARIOS if scenario.short]


@pytest.fixture(scope="module")
def outcomes():
    """By scenario; how long anything took is not looked at here, and nothing is mended from outside."""
    return {outcome.scenario: outcome for outcome in play(SHORT, "cpu", MOST_SECONDS, Console(quiet=True))}


@pytest.mark.parametrize("name", [*(scenario.name for scenario in SHORT), AFTERWARDS])
def test_promises_are_kept(outcomes, name):
    assert outcomes[name].broken == (), outcomes[name]
    assert (outcomes[name].lost, outcomes[name].wrong) == (0, 0)


def test_the_faults_happened(outcomes):
    assert all(outcomes[scenario.name].counts[Fate.ANSWERED] > 0 for scenario in SHORT)
    assert outcomes["terminated"].counts[Fate.NOT_THERE] > 0
