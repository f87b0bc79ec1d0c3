"""SIGTERM while clients ask, and one stands in the middle of a body: what is under way is answered, and nothing is left behind."""

from loadtest.chaos.scenarios.dropped_uploads import begin_upload
from loadtest.chaos.stage import Scenario, Stage, start_again
from loadtest.questions import Fate


def act(stage: Stage) -> None:
    """Stop, look what is left, start again."""
    with begin_upload(stage.server.http_port, 1000):
        stage.broken_now()
        seconds = stage.server.stop()
    stage.note(f"ended {seconds:.1f} s after SIGTERM")
    if left := stage.server.left_behind():
        raise RuntimeError(f"it left behind: {', '.join(left)}")
    start_again(stage)


SCENARIO = Scenario("terminated", act, start_again, frozenset({Fate.NOT_THERE}), 90.0, short=True)
