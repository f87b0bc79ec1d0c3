"""The steps of a swap, against a stand-in for Triton's model control: what is loaded when, with which config, and in which engines."""

import contextlib
import shutil

import pytest

from tests.support.stand_in_control import SERVED, is_stale, use, weights
from triptych_server.configs.overrides import Overrides
from triptych_server.configs.read import profile_config, read_config
from triptych_server.engine.running import FoundEngines, new_note, running_engines
from triptych_server.engine.servable import in_order
from triptych_server.errors import EngineError, ModelImportError
from triptych_server.models import change
from triptych_server.models.trial import is_on_trial
from triptych_server.repository_lock import locked


def test_a_swap_ends_with_the_models_under_their_own_names(repository, engine, control):
    assert use(repository).swapped == 1
    assert control.loaded == dict.fromkeys(SERVED, "")
    assert weights(repository) == "new"
    assert control.peak == 2  # copies of the network
    assert not is_stale(repository)
    assert control.log.index("load search_image") < control.log.index("unload clip_visual") < control.log.index("load clip_visual")


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
