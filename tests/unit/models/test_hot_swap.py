"""The steps of a swap, against a stand-in for Triton's model control that can be told to fail: what was served is served again."""

import contextlib
import errno
import shutil
from collections.abc import Iterator

import pytest

from triptych_server.configs.overrides import Overrides
from triptych_server.configs.read import profile_config, read_config
from triptych_server.engine.running import EngineNote, FoundEngines, RunningEngine, new_note, running_engines
from triptych_server.engine.servable import in_order
from triptych_server.errors import DiskSpaceError, EngineError, ModelImportError
from triptych_server.models import change, swap
from triptych_server.models.served_names import ServedName, served_names
from triptych_server.models.swap import JOURNAL, _Journal
from triptych_server.models.trial import ON_TRIAL, free_suffix, is_on_trial, own_names
from triptych_server.repository import Repository
from triptych_server.repository_lock import locked

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


@pytest.fixture
def repository(tmp_path) -> Repository:
    """With stand-ins for the weights of search."""
    repository = Repository.locate().copy_to(tmp_path / "repository")
    for model in ("clip_visual", "clip_textual"):
        (repository.model(model) / "1" / "model.onnx").write_text("old")
    (repository.model("clip_tokenize") / "1" / "tokenizer.json").write_text("old")
    return repository


@pytest.fixture
def control(monkeypatch) -> StandInControl:
    stand_in = StandInControl(*SERVED)
    monkeypatch.setattr(RunningEngine, "control", property(lambda self: stand_in))
    return stand_in


@pytest.fixture
def note(repository) -> Iterator[EngineNote]:
    """In the repository, as a serving engine keeps it."""
    with locked(repository, 1) as folder:
        note = new_note(folder)
    note.serving("http://stand-in", {}, "cpu", Overrides())
    yield note
    note.remove()


@pytest.fixture
def engine(note, control) -> RunningEngine:
    return note.engine


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


def test_a_swap_ends_with_the_models_under_their_own_names(repository, engine, control):
    assert use(repository).swapped == 1
    assert control.loaded == dict.fromkeys(SERVED, "")
    assert weights(repository) == "new"
    assert control.peak == 2  # copies of the network
    assert not is_stale(repository)
    assert control.log.index("load search_image") < control.log.index("unload clip_visual") < control.log.index("load clip_visual")


@pytest.mark.parametrize("well", range(11))
def test_a_load_that_fails_leaves_the_old_model_everywhere(repository, engine, control, well, monkeypatch):
    """Whichever step it is; afterwards there is memory again."""
    control.fail_after = well
    load = control.load

    def once(model, config=None):
        try:
            load(model, config)
        except EngineError:
            control.fail_after = 10**6
            raise

    monkeypatch.setattr(control, "load", once)
    try:
        use(repository)
    except ModelImportError as error:
        assert "the old model stays" in str(error)
        assert weights(repository) == "old"
    else:
        assert weights(repository) == "new"
        assert well == 10  # four on trial, two ensembles there, two networks, two ensembles back
    assert control.loaded == dict.fromkeys(SERVED, "")
    assert control.ready() == set(SERVED)
    assert not is_stale(repository)
    assert not list(engine.staging.iterdir())


class Killed(BaseException):
    """What a process that is killed does: nothing any more."""


def use_and_die(repository, control, at, text="new"):
    """A change whose process is killed before its `at`-th call of Triton."""
    left = at

    def counted(step):
        def call(*given):
            nonlocal left
            left -= 1
            if left <= 0:
                raise Killed
            return step(*given)

        return call

    def until_then(step):
        return lambda *given, **more: step(*given, **more) if left > 0 else None

    with pytest.MonkeyPatch.context() as patched, pytest.raises(Killed):
        patched.setattr(StandInControl, "load", counted(StandInControl.load))
        patched.setattr(StandInControl, "unload", counted(StandInControl.unload))
        patched.setattr(RunningEngine, "mark", until_then(RunningEngine.mark))
        patched.setattr(_Journal, "undo", until_then(_Journal.undo))
        use(repository, text)


def test_a_change_that_is_killed_before_the_names_of_what_is_served_are_in_place(repository, monkeypatch):
    """The models are, by then: both go back."""
    move = swap._move

    def killed(new, target, mark):
        if target.name == "served.json":
            raise Killed
        move(new, target, mark)

    with pytest.MonkeyPatch.context() as patched, pytest.raises(Killed):
        patched.setattr(swap, "_move", killed)
        patched.setattr(_Journal, "undo", lambda _: None)
        use(repository, names={"clip": ServedName("immich-app/some", "main", "abc")})
    assert weights(repository) == "new"
    assert served_names(repository) == {}
    use(repository, "old")
    assert weights(repository) == "old"
    assert served_names(repository) == {}
    assert not list(repository.root.rglob("*.old-*"))


@pytest.mark.parametrize(
    ("at", "text"), [(3, "new"), (5, "new"), (6, "other"), (7, "new"), (8, "other"), (10, "new"), (12, "other"), (14, "other")]
)
def test_no_request_fails_after_a_change_that_was_killed(repository, engine, control, at, text):
    """Wherever it was: ensembles may answer from models on trial, models may be unloaded, and others loaded than those in place."""
    use_and_die(repository, control, at)
    assert control.failed == set()
    assert use(repository, text).swapped == 1
    assert control.failed == set()
    assert control.loaded == dict.fromkeys(SERVED, "")
    assert control.peak <= 3
    assert weights(repository) == text
    assert not is_stale(repository)
    assert not list(engine.staging.iterdir())
    assert not (engine.file.parent / JOURNAL).exists()


def test_two_changes_killed_one_after_the_other(repository, engine, control):
    use_and_die(repository, control, 6)
    use_and_die(repository, control, 12, "other")
    assert {free_suffix({name}) for name in control.loaded if is_on_trial(name)} == {ON_TRIAL, f"{ON_TRIAL}2"}
    use(repository, "old")
    assert control.failed == set()
    assert control.loaded == dict.fromkeys(SERVED, "")
    assert not list(engine.staging.iterdir())


def test_what_cannot_be_set_back_goes_on_with_the_model_on_trial(repository, engine, control, caplog):
    control.fail = {"clip_visual"}  # neither the new one under its own name nor the old one again
    load = control.load

    def only_with_its_model(model, config=None):
        if model == "search_image" and config is None and "clip_visual" not in control.loaded:
            raise EngineError("search_image could not be loaded: needs clip_visual")
        load(model, config)

    control.load = only_with_its_model
    with pytest.raises(ModelImportError, match="search_image still answers with the new model, until that server is started anew"):
        use(repository)
    assert control.loaded["search_image"] == ON_TRIAL
    assert {"clip_visual__next"} <= set(control.loaded)
    assert weights(repository) == "old"
    assert is_stale(repository)
    control.fail, control.load = set(), load
    assert use(repository, "old").swapped == 1
    assert control.loaded == dict.fromkeys(SERVED, "")


def test_an_ensemble_that_cannot_go_back_goes_on_and_the_next_change_brings_it_back(repository, engine, control, monkeypatch):
    """Another had gone back already: it answers from the old model again."""
    load = control.load

    def stuck(model, config=None):
        if model == "search_text" and config is None:
            raise EngineError("search_text could not be loaded: no memory")
        load(model, config)

    with monkeypatch.context() as patched:
        patched.setattr(control, "load", stuck)
        with pytest.raises(ModelImportError, match="the old model stays: .*search_text still answers with the new model"):
            use(repository)
    assert (control.loaded["search_image"], control.loaded["search_text"]) == ("", ON_TRIAL)
    assert {name for name in control.loaded if is_on_trial(name)} == {"search_text__next", "clip_textual__next"}
    assert weights(repository) == "old"
    assert is_stale(repository)
    assert use(repository).swapped == 1
    assert control.loaded == dict.fromkeys(SERVED, "")
    assert control.failed == set()
    assert not list(engine.staging.iterdir())


@pytest.mark.parametrize("fails", [False, True])
def test_a_network_without_configs_gets_them_with_the_change_or_not_at_all(repository, engine, control, fails):
    """As one has that a user added by hand."""
    configs = repository.model("clip_visual") / "configs"
    shutil.rmtree(configs)
    control.fail = {"clip_visual"} if fails else set()  # under its own name, when the files are in place
    with pytest.raises(ModelImportError) if fails else contextlib.nullcontext(), change.one_change(repository, {}) as made:
        made.graph("clip_visual").write_text("new")
        made.edit_configs({"clip_visual": {"embedding": [7]}}, {})
    assert configs.exists() is not fails
    assert weights(repository) == ("old" if fails else "new")
    if not fails:
        assert profile_config(repository.model("clip_visual"), "openvino").output[0].dims == [7]


def test_models_stay_on_the_gpus_that_the_engine_was_started_with(repository, engine, control, note, monkeypatch):
    note.serving("http://stand-in", {}, "cuda", Overrides(device_ids=(1,), place={"clip_textual": (0, 2)}))
    gpus = {}
    load = control.load

    def looked_at(model, config=None):
        config = config or read_config((engine.staging if is_on_trial(model) else repository.model(model).parent) / model / "config.pbtxt")
        gpus[model] = [list(group.gpus) for group in config.instance_group]
        load(model, config if config.ensemble_scheduling.step else None)

    monkeypatch.setattr(control, "load", looked_at)
    assert use(repository).swapped == 1
    assert gpus["clip_visual"] == gpus["clip_visual__next"] == [[1]]
    assert gpus["clip_textual"] == gpus["clip_textual__next"] == [[0, 2]]


def test_models_that_were_not_served_are_unloaded_when_the_change_is_undone(repository, engine, control):
    control.loaded = {}
    control.fail = {"search_image"}
    with pytest.raises(ModelImportError):
        use(repository)
    assert control.loaded == {}


def test_an_engine_that_was_not_told_loads_everything_at_the_next_change(repository, engine, control):
    assert use(repository, swap=False).swapped == 0
    assert control.log == []
    assert is_stale(repository)
    assert use(repository).swapped == 1
    assert {f"load {name}" for name in SERVED} <= set(control.log)
    assert not is_stale(repository)
    assert use(repository).swapped == 0


def test_a_note_of_another_container_is_a_warning(repository, engine, control, caplog, monkeypatch):
    monkeypatch.setattr("triptych_server.engine.running.own_network", lambda: "elsewhere")
    assert use(repository).swapped == 0
    assert f"in the container or on the machine {engine.machine} serves this repository too" in caplog.text
    assert "keeps the old model until it is started anew" in caplog.text
    [other] = running_engines(repository).elsewhere
    assert other.stale  # a change made where it runs loads everything


def test_the_note_of_another_user_is_a_warning_that_says_how_to_get_rid_of_it(repository, engine, control, caplog, monkeypatch):
    monkeypatch.setattr(change, "running_engines", lambda _: FoundEngines((), (), (engine.file,)))
    assert use(repository).swapped == 0
    [record] = [record for record in caplog.records if "of the user with id" in record.message]
    assert f"if there is none any more, delete {engine.file}" in record.message


def test_a_full_disk_is_told_and_changes_nothing(repository, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("triptych_server.models.swap.os.link", full)
    monkeypatch.setattr("triptych_server.models.swap.shutil.copy2", full)
    with pytest.raises(DiskSpaceError, match=r"is full \(No space left on device\): [\d,]+ MB were free before"):
        use(repository)
    assert weights(repository) == "old"
    with pytest.raises(DiskSpaceError, match="needs about 1,000,000,000 MB more"):
        use(repository, needed=10**15)


def test_an_engine_that_never_finishes_its_start_is_not_waited_for_without_end(repository):
    with locked(repository, 1) as folder:
        note = new_note(folder)
    try:
        with pytest.raises(EngineError, match="has been starting on this repository for a long time"):
            running_engines(repository, wait=0.2)
    finally:
        note.remove()
    assert running_engines(repository).reachable == ()


def test_callers_are_loaded_after_what_they_call(repository):
    models = in_order(repository, ["photo", "faces", "face_embed", "face_recognition", "face_detection"])
    assert models.index("face_recognition") < models.index("face_embed") < models.index("faces") < models.index("photo")


def test_a_version_of_search_text_never_comes_again(repository, engine, control):
    """Its answers may be in Triton's cache, also when the change that made it was undone."""
    control.fail = {"search_text"}

    def use_text(text):
        with change.one_change(repository, {}) as made:
            made.graph("clip_textual").write_text(text)

    with pytest.raises(ModelImportError):
        use_text("new")
    assert versions(repository) == ["1"]
    control.fail = set()
    use_text("other")
    assert versions(repository) == ["3"]


def test_a_conversion_goes_on_trial_with_its_own_graph_only(repository, engine, control, monkeypatch):
    """On an NPU the network is what was converted; a new graph has no conversion yet."""
    for model in ("clip_visual", "clip_textual"):
        folder = repository.model(model) / "1" / "rk3588"
        folder.mkdir()
        (folder / "model.rknn").write_text(model)
    seen = set()
    load = control.load

    def looked_at(model, config=None):
        seen.update(str(file.relative_to(engine.staging)) for file in engine.staging.rglob("*.rknn"))
        load(model, config)

    monkeypatch.setattr(control, "load", looked_at)
    engine.mark(stale=True)  # all models go on trial, one of them with a new graph
    with change.one_change(repository, {}) as made:
        made.graph("clip_visual").write_text("new")
    assert seen == {"clip_textual__next/1/rk3588/model.rknn"}


def versions(repository):
    return [folder.name for folder in (repository.ensembles / "search_text").iterdir() if folder.is_dir() and folder.name != "configs"]
