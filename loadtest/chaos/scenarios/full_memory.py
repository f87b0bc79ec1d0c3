"""Another program fills the shared memory: Triton's models cannot exchange large tensors then; once there is room again, all is well."""

from loadtest.chaos.small_disks import SHM, filled
from loadtest.chaos.stage import Scenario, Stage, start_again
from loadtest.questions import Fate

SECONDS = 5.0


def act(stage: Stage) -> None:
    """Not a byte is left for a while."""
    stage.broken_now()
    with filled(stage.server.pid, SHM):
        stage.go_on(SECONDS)


SCENARIO = Scenario("full shared memory", act, start_again, frozenset({Fate.NOT_THERE, Fate.FAILED}), 60.0, own_disks=True)
