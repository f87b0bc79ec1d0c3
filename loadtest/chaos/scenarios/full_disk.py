"""The disk of caches, log and temporary files is full: nobody notices, and models can still be loaded anew."""

from loadtest.chaos.small_disks import filled
from loadtest.chaos.stage import LOAD_SECONDS, Scenario, Stage, start_again


def act(stage: Stage) -> None:
    """Not a byte is left for a while."""
    with filled(stage.server.pid, stage.server.disk):
        stage.go_on(3)
        for model in ("clip_preprocess", "clip_visual"):
            stage.server.control.load(model, timeout=LOAD_SECONDS)
        stage.go_on(1)


SCENARIO = Scenario("full disk", act, start_again, own_disks=True)
