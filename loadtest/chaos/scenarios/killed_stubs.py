"""One model's process is killed, as the kernel does when memory is short: its callers hear of it at once, and it comes back."""

import time
from functools import partial

from loadtest.chaos.stage import LOAD_SECONDS, Scenario, Stage, start_again
from loadtest.questions import Fate

NETWORKS = ("clip_visual", "clip_textual", "face_detection", "face_recognition")
PYTHON_MODELS = ("clip_preprocess", "clip_tokenize", "face_preprocess", "photo_preprocess", "face_embed")
WITHIN = 30.0
SHORT = "clip_tokenize"
"""Played in the short form, too: it rarely owes answers, for which Triton would be started anew."""
REPLACED_SECONDS = 120.0


def act(model: str, stage: Stage) -> None:
    """SIGKILL."""
    stub = stage.server.stubs[model]
    stage.broken_now()
    stub.kill()
    until_replaced(model, stub.pid, stage)


def until_replaced(model: str, pid: int, stage: Stage) -> None:
    """Wait for another process of the model. RuntimeError when none comes."""
    deadline = time.monotonic() + REPLACED_SECONDS
    while (new := stage.server.stubs.get(model)) is None or new.pid == pid:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{model} has no new process after {REPLACED_SECONDS:.0f} s")
        stage.go_on(0.1)


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
        short=model == SHORT,
    )
    for model in (*NETWORKS, *PYTHON_MODELS)
)
