"""A model is not fetched for a server whose networks must be converted first: it says how to go on instead."""

import pytest

from tests.support.serving import CHECKOUT
from triptych_server.engine.running import new_note
from triptych_server.errors import ConversionError
from triptych_server.hardware.tree import Tree
from triptych_server.models.cache import Cache
from triptych_server.models.model_name import model_name
from triptych_server.models.served_names import ServedName, write_served_names
from triptych_server.models.unconverted import refuse_unconverted
from triptych_server.models.use_named import ensure_named, use_named
from triptych_server.repository_lock import locked

MODEL = "ViT-B-32__openai"


@pytest.fixture
def repository(tmp_path):
    return CHECKOUT.copy_to(tmp_path / "repository")


@pytest.fixture
def running(repository):
    """Notes, as an engine does, that one serves the repository in a profile."""
    notes = []

    def run(profile):
        with locked(repository) as folder:
            notes.append(new_note(folder))
        notes[-1].serving("http://127.0.0.1:1", {}, profile, notes[-1].engine.overrides)

    yield run
    for note in notes:
        note.remove()


def test_the_commands_are_said_at_once(repository, running, tmp_path):
    running("rknn")
    compatible = tmp_path / "board" / "proc" / "device-tree" / "compatible"
    compatible.parent.mkdir(parents=True)
    compatible.write_bytes(b"radxa,rock-5b\0rockchip,rk3588\0")
    with pytest.raises(ConversionError) as refused:
        refuse_unconverted(MODEL, repository, Tree(tmp_path / "board"))
    said = str(refused.value)
    assert "http://127.0.0.1:1 runs clip_visual, face_detection, face_recognition on Rockchip's NPU" in said
    assert f"`triptych models use {MODEL} --no-reload`, `triptych models convert --target rk3588`; start the server anew" in said
    with pytest.raises(ConversionError, match=r"models convert --target rk3566\|rk3568\|rk3576\|rk3588`"):  # the tree may be hidden
        refuse_unconverted(MODEL, repository, Tree(tmp_path))


def test_nothing_was_fetched_by_then(repository, running, tmp_path):
    running("armnn")
    with pytest.raises(ConversionError, match="runs .*clip_visual.* on Arm NN, .*--target armnn"):
        use_named(model_name(MODEL), repository, cache=Cache(tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()


def test_other_servers_are_told_of_the_change(repository, running):
    refuse_unconverted(MODEL, repository)
    running("cpu")
    running("openvino")
    refuse_unconverted(MODEL, repository)


def test_a_model_that_is_served_already_is_no_change(repository, running, tmp_path):
    running("rknn")
    for network in ("clip_visual", "clip_textual"):
        (repository.model(network) / "1" / "model.onnx").touch()
    (repository.model("clip_tokenize") / "1" / "tokenizer.json").touch()
    model = model_name(MODEL)
    write_served_names(repository, {"clip": ServedName(model.repository, "main", "abc", legacy_resize=True)})
    assert not ensure_named(model, repository, cache=Cache(tmp_path / "cache"))
