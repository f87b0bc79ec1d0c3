"""The disk of caches, log and temporary files is full: nobody notices, and models can still be loaded anew."""

from loadtest.chaos.small_disks import filled
from loadtest.chaos.stage import Scenario, Stage, nothing


def act(stage: Stage) -> None:
    """Not a byte is left for a while."""
    with filled(stage.server.pid, stage.server.disk):
        stage.go_on(3)
        for model in ("clip_preprocess", "clip_visual"):
            stage.server.control.load(model)
        stage.go_on(1)


SCENARIO = Scenario("full disk", act, nothing, own_disks=True)
