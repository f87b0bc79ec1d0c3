"""The committed configs of every profile, and the rules they keep."""

import pytest

from triptych_server.configs.profiles import check_profile, profile_names, render_profiles, stale_profiles, write_profiles
from triptych_server.configs.read import config_file, parameters_of, parse_config, read_config
from triptych_server.errors import ConfigError
from triptych_server.repository import ROOTS, Repository

REPOSITORY = Repository.locate()
ALL_CONFIGS = sorted(file for root in REPOSITORY.roots for file in root.glob("*/**/*.pbtxt"))


def test_generated_configs_are_up_to_date():
    assert stale_profiles(REPOSITORY) == []


def test_every_network_has_a_config_for_every_profile():
    rendered = {(file.parent.parent.name, file.stem) for file, _ in render_profiles(REPOSITORY)}
    networks = {folder.name for folder in REPOSITORY.networks.iterdir()}
    assert rendered == {(network, profile) for network in networks for profile in profile_names(REPOSITORY)[1:]}


@pytest.mark.parametrize("file", ALL_CONFIGS, ids=lambda file: "/".join(file.parts[-3:]))
def test_config_names_its_folder_and_is_known_to_the_proto(file):
    folder = next(parent for parent in file.parents if parent.parent.name in ROOTS)
    assert read_config(file).name == folder.name


@pytest.mark.parametrize("file", ALL_CONFIGS, ids=lambda file: "/".join(file.parts[-3:]))
def test_inputs_and_outputs_do_not_differ_between_profiles(file):
    folder = next(parent for parent in file.parents if parent.parent.name in ROOTS)
    config, base = read_config(file), read_config(folder / "config.pbtxt")
    assert list(config.input) == list(base.input)
    assert list(config.output) == list(base.output)


@pytest.mark.parametrize(
    "file", [file for file in ALL_CONFIGS if "ensembles" not in file.parts], ids=lambda file: "/".join(file.parts[-3:])
)
def test_every_queue_is_bounded_and_every_instance_group_is_explicit(file):
    config = read_config(file)
    assert config.HasField("dynamic_batching")
    assert not config.dynamic_batching.ListFields()  # a policy of Triton's would make it hold requests
    assert int(parameters_of(config)["max_waiting"]) > 0
    assert parameters_of(config)["default_priority"] in ("1", "2")
    assert all(group.count > 0 for group in config.instance_group)
    assert len(config.instance_group) > 0


def test_no_ensemble_takes_a_larger_batch_than_its_steps():
    configs = {folder.name: read_config(folder / "config.pbtxt") for folder in REPOSITORY.models()}
    steps = [(config.max_batch_size, step.model_name) for config in configs.values() for step in config.ensemble_scheduling.step]
    assert steps
    assert all(batch <= configs[model].max_batch_size for batch, model in steps)


def test_a_stale_config_is_found_and_rewritten(tmp_path):
    copy = REPOSITORY.copy_to(tmp_path / "copy")
    config = copy.networks / "clip_visual" / "config.pbtxt"
    config.write_text(config.read_text().replace("max_batch_size: 16", "max_batch_size: 8"))
    generated = [config.parent / "configs" / f"{profile}.pbtxt" for profile in profile_names(copy)[1:]]
    assert stale_profiles(copy) == generated
    assert write_profiles(copy) == generated
    assert {read_config(file).max_batch_size for file in generated} == {8}
    assert stale_profiles(copy) == []


def test_a_models_own_fragment_is_laid_over_the_common_one(tmp_path):
    copy = REPOSITORY.copy_to(tmp_path / "copy")
    (copy.profiles / "openvino").mkdir()
    (copy.profiles / "openvino" / "clip_textual.pbtxt").write_text("max_batch_size: 2")
    write_profiles(copy)
    sizes = {
        name: read_config(copy.networks / name / "configs" / "openvino.pbtxt").max_batch_size for name in ("clip_textual", "clip_visual")
    }
    assert sizes == {"clip_textual": 2, "clip_visual": 16}


def test_unknown_profile_names_those_that_exist():
    with pytest.raises(ConfigError, match="unknown profile 'openvin'; there are: cpu, .*openvino"):
        check_profile(REPOSITORY, "openvin")


def test_unknown_field_is_an_error_that_names_the_file():
    with pytest.raises(ConfigError, match=r"net/config.pbtxt:1:1: ModelConfig has no field max_batch_sise; did you mean max_batch_size\?"):
        parse_config("max_batch_sise: 1", "net/config.pbtxt")


def test_the_default_profile_is_config_pbtxt_for_triton_and_for_us(tmp_path):
    for name in ("cpu", "mine"):
        (tmp_path / "configs").mkdir(exist_ok=True)
        (tmp_path / "configs" / f"{name}.pbtxt").write_text('name: "other"')
    assert config_file(tmp_path, "cpu") == tmp_path / "config.pbtxt"
    assert config_file(tmp_path, "mine") == tmp_path / "configs" / "mine.pbtxt"
