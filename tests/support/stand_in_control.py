"""A fake of Triton's model control, which can be told to fail, and what tests of a swap do with it."""

from triptych_server.engine.running import running_engines
from triptych_server.errors import EngineError
from triptych_server.models import change
from triptych_server.models.trial import is_on_trial, own_names

SERVED = (
    "clip_visual",
    "clip_textual",
    "clip_preprocess",
    "clip_tokenize",
    "face_preprocess",
    "photo_preprocess",
    "search_image",
    "search_text",
)


class StandInControl:
    """Knows what is loaded and, of an ensemble, from which models it answers."""

    def __init__(self, *loaded: str) -> None:
        self.loaded = dict.fromkeys(loaded, "")  # what an ensemble's steps end with
        self.fail: set[str] = set()
        self.fail_after = 10**6  # loads that go well
        self.peak = 0
        self.broken: set[str] = set()
        self.steps: dict[str, set[str]] = {}  # of ensembles that were loaded with a config
        self.failed: set[str] = set()  # ensembles whose requests would have failed at some time
        self.log: list[str] = []

    def load(self, model, config=None):
        self.log.append(f"load {model}")
        self.fail_after -= 1
        if model in self.fail or self.fail_after < 0:
            raise EngineError(f"{model} could not be loaded: no memory")
        if not config and model.startswith("search_"):
            self.broken.discard(model)
        if not is_on_trial(model) and model.startswith("clip_"):  # Triton drops the ensembles over a model of another shape
            self.broken |= {name for name in ("search_image", "search_text") if self.loaded.get(name) == ""}
        steps = [step.model_name for step in config.ensemble_scheduling.step] if config else []
        self.steps[model] = set(steps)
        self.loaded[model] = next((step.removeprefix(own_names(step)) for step in steps if is_on_trial(step)), "")
        self.peak = max(self.peak, sum(name.startswith("clip_visual") for name in self.loaded))
        self._look()

    def unload(self, model):
        self.log.append(f"unload {model}")
        self.loaded.pop(model, None)
        self._look()

    def _look(self):
        """Which ensembles cannot answer now."""
        own = {"search_image": {"clip_visual"}, "search_text": {"clip_textual"}}
        lacking = {name for name, steps in own.items() if name in self.loaded and (self.steps.get(name) or steps) - set(self.loaded)}
        self.failed |= lacking | self.broken | (set(own) & set(SERVED) - set(self.loaded))

    def ready(self):
        return set(self.loaded) - self.broken


def use(repository, text="new", names=None, **options):
    """Put other weights for both towers in place."""
    with change.one_change(repository, names or {}, **options) as made:
        made.graph("clip_visual").write_text(text)
        made.graph("clip_textual").write_text(text)
    return made


def weights(repository):
    return (repository.model("clip_visual") / "1" / "model.onnx").read_text()


def is_stale(repository):
    return running_engines(repository).reachable[0].stale
