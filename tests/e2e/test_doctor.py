"""`triptych doctor` as people use it: on this machine, and on recorded ones."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import boards

TRIPTYCH = str(Path(sys.executable).with_name("triptych"))


def doctor(*arguments):
    return subprocess.run([TRIPTYCH, "doctor", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)


def test_this_machine_can_run_what_is_recommended():
    done = doctor()
    assert done.returncode == 0, done.stderr
    assert "Recommended" in done.stdout
    assert "triptych serve --profile" in done.stdout


def test_json_says_what_auto_takes_and_why():
    done = doctor("--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], told["profile"]) == (0, True, told["recommended"])
    assert [profile["name"] for profile in told["profiles"]] == ["tensorrt", "cuda", "migraphx", "rknn", "armnn", "openvino", "cpu"]
    for profile in told["profiles"]:
        assert set(profile) == {"name", "available", "hardware", "runs", "findings"}
        for finding in profile["findings"]:
            assert set(finding) == {"status", "what", "found", "expected", "mend"}
            assert finding["status"] in ("ok", "warning", "missing")
    assert told["machine"]["cpu"]["cores"] > 0


@pytest.mark.parametrize(
    ("board", "profile", "sentence"),
    [
        (boards.RTX_3060_OLD_DRIVER, "cuda", "expected 580 or newer"),
        (boards.RTX_3060_IN_CONTAINER, "cuda", "docker run: --gpus all"),
        (boards.RADEON_6700, "migraphx", "export HSA_OVERRIDE_GFX_VERSION=10.3.0"),
        (boards.ROCK_5B_IN_CONTAINER, "rknn", "systempaths=unconfined"),
        (boards.ORANGE_PI_5_WITHOUT_LIBMALI, "armnn", "/usr/lib/libmali.so"),
        (boards.RASPBERRY_PI_5, "rknn", "expected RK3566, RK3568, RK3576, RK3588"),
    ],
)
def test_a_profile_that_cannot_run_is_an_exit_code_and_a_way_to_mend_it(tmp_path, board, profile, sentence):
    done = doctor("--root", boards.build(board, tmp_path), "--profile", profile)
    assert done.returncode == 1
    assert sentence in done.stdout
    assert done.stderr.startswith(f"triptych: profile {profile} cannot run here: ")
    assert "Traceback" not in done.stderr


def test_what_two_profiles_lack_is_told_once(tmp_path):
    done = doctor("--root", boards.build(boards.RTX_3060_OLD_DRIVER, tmp_path))
    assert done.returncode == 0  # openvino can run
    assert done.stdout.count("expected 580 or newer") == 1
    assert "tensorrt, cuda" in done.stdout


def test_a_machine_without_any_runtime_cannot_run(tmp_path):
    done = doctor("--root", tmp_path)
    assert done.returncode == 1
    assert "pip install onnxruntime" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--profile", "cudda"], "does not know profile 'cudda'; it knows auto, tensorrt, cuda"),
        (["--root", "/no/such/folder"], "--root /no/such/folder: there is no such folder"),
    ],
)
def test_a_wrong_option_is_one_sentence(arguments, sentence):
    done = doctor(*arguments)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
