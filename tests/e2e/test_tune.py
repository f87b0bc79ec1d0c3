"""`triptych tune` on the real Triton: points are tried, remembered and drawn; the config that comes out is served by its name."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.demo import demo_repository
from tests.support.drawn import encode, picture
from tests.support.serving import serving
from triptych import Client
from triptych_server.configs.lint.run import lint
from triptych_server.configs.profiles import tuned_files
from triptych_server.configs.read import read_config
from triptych_server.tuning.load import Load
from triptych_server.tuning.tune import TuneOptions, tune, write_tuned

TRIPTYCH = str(Path(sys.executable).with_name("triptych"))


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The demo's CLIP."""
    return demo_repository(tmp_path_factory, faces=False)


def test_the_command_tries_points_and_goes_on_where_it_was(repository):
    command = [TRIPTYCH, "tune", "search_image", "--profile", "openvino", "--runs", "1", "--seconds", "0.5", "--in-flight", "4"]
    command += ["--name", "mine", "--repository", str(repository.root)]
    for trials, new in ((1, ["1: "]), (2, ["2: "])):
        done = subprocess.run([*command, "--trials", str(trials)], capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        assert re.findall(r"^\d+: ", done.stderr, re.MULTILINE) == new
    report = json.loads((repository.root / ".triptych" / "tuning" / "mine.json").read_text())
    assert len(report["points"]) == 2
    assert report["score_of_profile"]["throughput"] > 0
    assert (repository.root / ".triptych" / "tuning" / "mine.png").read_bytes().startswith(b"\x89PNG")
    written = "written to" in done.stdout
    assert written or "nothing was written" in done.stdout
    assert bool(tuned_files(repository)) is written


def test_what_was_found_is_served_by_its_name(repository, tmp_path):
    wanted = TuneOptions(repository, "search_image", "openvino", load=Load(4, 1.0, 0.2), trials=1, runs=1, name="best", cores=2)
    found = tune(wanted, lambda sentence: None, lambda number, tried: None)
    assert found.best.score.throughput > 0 and found.gain > 0
    files = write_tuned(
        wanted, replace(found, configs={name: turned(config) for name, config in found.configs.items()}), "Tuned in a test."
    )
    assert {file.parents[1].name for file in files} >= {"clip_visual", "clip_preprocess", "clip_textual"}
    assert all(file.read_text().startswith("# Tuned in a test.\n") for file in files)
    assert [finding for finding in lint(repository) if finding.file.endswith("/best.pbtxt")] == []
    with serving(repository, tmp_path, profile="best") as engine, Client(engine.grpc_url) as client:
        assert client.embed_image(encode(picture(64, 64), "png")).shape == (512,)
    assert read_config(repository.model("clip_preprocess") / "configs" / "best.pbtxt").instance_group[0].count == 2


def turned(config):
    """Something that the profile does not have, so that it can be seen which config is served."""
    if config.name == "clip_preprocess":
        config.instance_group[0].count = 2
    return config
