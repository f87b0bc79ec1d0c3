"""One model's process is killed, as the kernel does when memory is short: its callers hear of it at once, and it comes back."""

from functools import partial

from loadtest.chaos.stage import LOAD_SECONDS, Scenario, Stage, start_again
from loadtest.questions import Fate

NETWORKS = ("clip_visual", "clip_textual", "face_detection", "face_recognition")
PYTHON_MODELS = ("clip_preprocess", "clip_tokenize", "face_preprocess", "photo_preprocess", "face_embed")
WITHIN = 30.0


def act(model: str, stage: Stage) -> None:
    """SIGKILL."""
    stub = stage.server.stubs[model]
    stage.broken_now()
    stub.kill()


def rescue(model: str, stage: Stage) -> None:
    """Triton never starts a stub again, but loads a model anew when told to."""
    start_again(stage)
    stage.server.control.unload(model)  # or Triton keeps the dead process: nothing has changed, to it
    stage.server.control.load(model, timeout=LOAD_SECONDS)


SCENARIOS = tuple(
    Scenario(
        f"killed {model}",
        partial(act, model),
        partial(rescue, model),
        frozenset({Fate.NOT_THERE, Fate.FAILED}),
        WITHIN,
    )
    for model in (*NETWORKS, *PYTHON_MODELS)
)
