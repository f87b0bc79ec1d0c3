"""Every model is loaded anew while it is asked: nobody notices."""

from loadtest.chaos.stage import LOAD_SECONDS, Scenario, Stage, start_again


def act(stage: Stage) -> None:
    """One after the other, ensembles last."""
    stubs = sorted(stage.server.stubs)
    for model in (*stubs, *sorted(stage.server.control.ready() - set(stubs))):
        stage.server.control.load(model, timeout=LOAD_SECONDS)
    stage.go_on(1)


SCENARIO = Scenario("reloaded models", act, start_again)
