"""`triptych configs` as an engineer meets it: a program with exit codes, tables and JSON."""

import json
import os
import subprocess
import sys

from tests.support.serving import CHECKOUT

PROGRAM = [sys.executable, "-c", "from triptych.cli import main; main()"]


def configs(*arguments: str, repository=CHECKOUT.root) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [*PROGRAM, "configs", *arguments, "--repository", str(repository)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def test_explain_shows_values_sources_and_reasons():
    shown = configs("explain", "clip_visual", "--profile", "openvino")
    assert shown.returncode == 0
    assert "Triton reads model_repository/clip_visual/configs/openvino.pbtxt" in shown.stdout
    source, fields = next(part.split("\n", 1) for part in shown.stdout.split("\n\n") if "max_batch_size" in part)
    assert source == "model_repository/clip_visual/config.pbtxt"
    assert "    4  max_batch_size = 16  # past 16 a CPU gains nothing and the first of a batch waits longer" in fields.splitlines()


def test_explain_as_json_has_every_field():
    explanation = json.loads(configs("explain", "clip_visual", "--profile", "tensorrt", "--json").stdout)
    sources = {each["field"]: each["source"] for each in explanation["fields"]}
    assert sources["instance_group[0].kind"] == "profiles/tensorrt.pbtxt"
    assert sources["model_warmup[batch of 1].batch_size"] == "derived"


def test_diff_shows_both_sides_or_says_that_nothing_differs():
    shown = configs("diff", "clip_visual", "--profile", "openvino")
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert lines[0] == "clip_visual: cpu -> openvino"
    assert {
        "  ~ backend = onnxruntime -> openvino",
        "  - parameters[intra_op_thread_count] = 0",
        "  + parameters[PERFORMANCE_HINT] = LATENCY",
    } <= set(lines)
    same = configs("diff", "faces", "--profile", "openvino", "--against", "tensorrt")
    assert (same.returncode, same.stdout) == (0, "nothing differs between tensorrt and openvino\n")


def test_check_exits_with_1_and_names_each_mistake(tmp_path):
    copy = CHECKOUT.copy_to(tmp_path / "copy")
    assert configs("check", repository=copy.root).returncode == 0
    config = copy.model("clip_preprocess") / "config.pbtxt"
    config.write_text(config.read_text().replace('string_value: "128"', 'string_value: "0"'))
    found = configs("check", repository=copy.root)
    assert found.returncode == 1
    assert "python_models/clip_preprocess/config.pbtxt:18: parameters[max_waiting]: found parameter max_waiting is 0" in found.stdout
    assert "1 mistake in the configs" in found.stderr
    assert json.loads(configs("check", "--json", repository=copy.root).stdout)[0]["line"] == 18


def test_unknown_names_are_errors():
    wrong = configs("explain", "clip", "--profile", "cpu")
    assert wrong.returncode == 1
    assert "no model 'clip'; there are:" in wrong.stderr
