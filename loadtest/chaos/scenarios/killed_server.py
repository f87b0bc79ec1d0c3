"""Triton is killed: its callers hear of it at once, and it comes back."""

from loadtest.chaos.stage import Scenario, Stage, start_again
from loadtest.questions import Fate


def act(stage: Stage) -> None:
    """SIGKILL."""
    triton = stage.server.triton
    assert triton is not None
    stage.broken_now()
    triton.kill()
    triton.wait(10)


SCENARIO = Scenario("killed server", act, start_again, frozenset({Fate.NOT_THERE, Fate.FAILED}), 60.0)
