"""A change that fails or is killed, against a stand-in for Triton's model control: what was served is served again, and no request fails."""

import errno

import pytest

from tests.support.stand_in_control import SERVED, StandInControl, is_stale, use, weights
from triptych_server.engine.running import RunningEngine
from triptych_server.errors import DiskSpaceError, EngineError, ModelImportError
from triptych_server.models import swap
from triptych_server.models.served_names import ServedName, served_names
from triptych_server.models.swap import JOURNAL, _Journal
from triptych_server.models.trial import ON_TRIAL, free_suffix, is_on_trial


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


def test_models_that_were_not_served_are_unloaded_when_the_change_is_undone(repository, engine, control):
    control.loaded = {}
    control.fail = {"search_image"}
    with pytest.raises(ModelImportError):
        use(repository)
    assert control.loaded == {}


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
