"""Every model is loaded anew while it is asked: nobody notices."""

from loadtest.chaos.stage import Scenario, Stage, nothing


def act(stage: Stage) -> None:
    """One after the other, ensembles last."""
    stubs = sorted(stage.server.stubs)
    for model in (*stubs, *sorted(stage.server.control.ready() - set(stubs))):
        stage.server.control.load(model)
    stage.go_on(1)


SCENARIO = Scenario("reloaded models", act, nothing)
