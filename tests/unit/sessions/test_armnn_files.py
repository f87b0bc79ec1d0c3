"""Files that Arm NN keeps between starts: which level goes with which file, and none half written is ever read."""

import pytest

from triptych_server.errors import ConfigError
from triptych_server.sessions.armnn_files import kernels_file, kernels_kept_in, with_tuning_file
from triptych_server.sessions.armnn_options import ArmnnOptions
from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import SessionSettings


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return SessionSettings("net", tmp_path / "model.onnx")


def tuning(settings, **parameters):
    options = ArmnnOptions.from_settings(SessionSettings("net", settings.graph, parameters=Parameters(parameters)))
    found = with_tuning_file(settings, options)
    return found.tuning_file, found.tuning_level


def test_a_network_is_tuned_once_at_each_level_and_precision(settings, tmp_path):
    normal, level = tuning(settings)
    assert (normal.rpartition("/")[2], level) == ("f32-2.tuning", 2)
    assert tuning(settings) == (normal, 2)  # the process was killed before it was written
    for text, expected in (("", 2), ("kernel;1;2;3", 0)):
        (tmp_path / normal).write_text(text)
        assert tuning(settings) == (normal, expected)
    assert tuning(settings, tuning_level="3") == (normal.replace("32-2", "32-3"), 3)
    assert tuning(settings, fp16="true") == (normal.replace("f32", "f16"), 2)


def test_level_0_reads_the_best_file_there_is(settings, tmp_path):
    assert tuning(settings, tuning_level="0") == ("", 0)
    for level in "132":
        file, _ = tuning(settings, tuning_level=level)
        (tmp_path / file).write_text("kernel;1;2;3")
    assert tuning(settings, tuning_level="0") == (file.replace("32-2", "32-3"), 0)


def test_a_file_that_the_user_names_is_used_as_it_is(settings, tmp_path):
    named = str(tmp_path / "named")
    assert tuning(settings, tuning_file=named) == (named, 2)
    with pytest.raises(
        ConfigError, match="net: tuning_file .*named is not there, and tuning_level 0 only reads it; tune with 1 to 3 first"
    ):
        tuning(settings, tuning_file=named, tuning_level="0")
    with pytest.raises(ConfigError, match="there is no folder .*nowhere"):
        tuning(settings, tuning_file=str(tmp_path / "nowhere" / "named"))
    (tmp_path / "named").write_text("kernel;1;2;3")
    assert tuning(settings, tuning_file=named) == (named, 2)
    assert tuning(settings, tuning_file=named, tuning_level="0") == (named, 0)


def test_nothing_is_tuned_and_kept_without_the_gpu(settings):
    assert tuning(settings, backends="CpuAcc") == ("", 2)
    assert kernels_file(settings, ArmnnOptions(backends=("CpuAcc",), cached=True)) is None
    assert kernels_file(settings, ArmnnOptions()) is None
    with kernels_kept_in(None) as given:
        assert given == ("", False)


def test_kernels_are_put_in_place_when_they_are_whole(settings):
    file = kernels_file(settings, ArmnnOptions(cached=True))
    before = {left.name for left in file.parent.iterdir()}
    with kernels_kept_in(file) as (path, save):
        assert save
        assert file.parent.joinpath(path).read_bytes() == b""  # Arm NN saves to a file that is there
    assert not file.exists()  # nothing was saved
    with pytest.raises(RuntimeError), kernels_kept_in(file) as (path, save):
        file.parent.joinpath(path).write_text("half")
        raise RuntimeError
    with kernels_kept_in(file) as (path, save):
        assert save
        file.parent.joinpath(path).write_text("whole")
    with kernels_kept_in(file) as given:
        assert given == (str(file), False)
    assert file.read_text() == "whole"
    assert {left.name for left in file.parent.iterdir()} == before | {"f32.anncache"}
