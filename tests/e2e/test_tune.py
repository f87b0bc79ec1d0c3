"""`triptych tune` on the real Triton: points are tried, remembered and drawn; the config that comes out is served by its name."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tritonclient import grpc

from tests.support.demo import demo_repository
from tests.support.drawn import encode, picture
from tests.support.serving import serving
from triptych import Client
from triptych_server.configs.lint.run import lint
from triptych_server.configs.profiles import tuned_files
from triptych_server.configs.read import profile_config
from triptych_server.repository_lock import FOLDER
from triptych_server.tuning.knobs import knobs_for
from triptych_server.tuning.load import Load
from triptych_server.tuning.search import search
from triptych_server.tuning.study import study_name
from triptych_server.tuning.trial import Score
from triptych_server.tuning.tune import JOURNAL, Tuned, TuneOptions, write_tuned

TRIPTYCH = str(Path(sys.executable).with_name("triptych"))
SCORE = Score(1.0, 1.0, 1.0, 0.0, 1.0)
"""Of a profile that is slower than any point can be."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The demo's CLIP."""
    return demo_repository(tmp_path_factory, faces=False)


@pytest.fixture(scope="module")
def wanted(repository):
    """What is searched, as the command's options say it."""
    cores = len(os.sched_getaffinity(0))
    return TuneOptions(repository, "search_image", "openvino", load=Load(4, 0.5), trials=2, runs=1, name="mine", cores=cores)


def remember_one_point(wanted, configs):
    """As an earlier run leaves it that was interrupted: the profile's score, and a point that is slower."""
    knobs = {name: knobs_for(config, wanted.cores, least_batch=16) for name, config in configs.items()}
    scores = iter([SCORE, replace(SCORE, throughput=0.5)])
    journal = wanted.repository.root / FOLDER / JOURNAL
    search(lambda point: next(scores), knobs, wanted.goal, 1, journal, study_name(wanted, configs, knobs), lambda number, tried: None)


def test_the_command_goes_on_where_an_earlier_one_stopped(repository, wanted):
    remember_one_point(wanted, {name: profile_config(repository.model(name), "openvino") for name in ("clip_preprocess", "clip_visual")})
    command = [TRIPTYCH, "tune", "search_image", "--profile", "openvino", "--runs", "1", "--seconds", "0.5", "--in-flight", "4"]
    command += ["--name", "mine", "--trials", "2", "--repository", str(repository.root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^\d+: ", done.stderr, re.MULTILINE) == ["2: "]
    assert "comparing the best point with the profile" in done.stderr  # better than the score that is remembered, at least
    report = json.loads((repository.root / FOLDER / "tuning" / "mine.json").read_text())
    assert report["score_of_profile"]["throughput"] == SCORE.throughput
    remembered, new = report["points"]
    assert remembered["score"]["throughput"] == 0.5 < new["score"]["throughput"]
    assert report["knobs"] == sorted(new["point"])
    assert (repository.root / FOLDER / "tuning" / "mine.png").read_bytes().startswith(b"\x89PNG")
    written = "written to" in done.stdout
    assert written or "nothing was written" in done.stdout
    assert bool(tuned_files(repository)) is written
    assert all(gain > 1 for gain in report["gains"])


def test_what_was_found_is_served_by_its_name(repository, wanted, tmp_path):
    configs = {name: profile_config(repository.model(name), "openvino") for name in ("clip_preprocess", "clip_visual")}
    configs["clip_preprocess"].instance_group[0].count = 2  # the profile does not have it, so that it can be seen which config is served
    wanted = replace(wanted, name="best")
    files = write_tuned(wanted, Tuned(SCORE, (), configs=configs), "Tuned in a test.")
    assert {file.parents[1].name for file in files} >= {"clip_visual", "clip_preprocess", "clip_textual"}
    assert all(file.read_text().startswith("# Tuned in a test.\n") for file in files)
    assert [finding for finding in lint(repository) if finding.file.endswith("/best.pbtxt")] == []
    with serving(repository, tmp_path, profile="best") as engine, Client(engine.grpc_url) as client:
        assert client.embed_image(encode(picture(64, 64), "png")).shape == (512,)
        with grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://")) as triton:
            assert triton.get_model_config("clip_preprocess").config.instance_group[0].count == 2
