"""The Dockerfiles: linted, and their names checked against pyproject.toml, .dockerignore and each other."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.dockerfile import environment_of, read_stages, sent_files
from tests.support.serving import CHECKOUT
from triptych_server.configs.profiles import profile_names

ROOT = CHECKOUT.root
FILES = sorted((ROOT / "docker").glob("*Dockerfile"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(params=FILES, ids=lambda file: file.name)
def file(request):
    return request.param


def test_they_are_clean(file):
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [hadolint, "--no-color", "--config", ROOT / "docker" / "hadolint.yaml", file], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_is_there(file):
    stages, sent = read_stages(file), sent_files(ROOT)
    for stage in stages.values():
        for line in stage.all("COPY"):
            *sources, _ = line.split()
            if sources[0].startswith("--from="):
                assert sources[0].removeprefix("--from=") in stages
            else:
                assert [name for name in sources if name != "." and Path(name) not in sent] == []


def test_extras_profiles_and_versions_are_the_projects(file):
    text = file.read_text()
    assert set(re.findall(r"--extra (\w+)", text)) <= set(PROJECT["optional-dependencies"])
    assert set(re.findall(r'image.version="(.*?)"', text)) == {PROJECT["version"]}
    assert set(re.findall(r"-t triptych:([\d.]+)-", text)) == {PROJECT["version"]}
    assert set(re.findall(r"image: triptych:([\d.]+)-", (ROOT / "hwaccel.yml").read_text())) == {PROJECT["version"]}
    chosen = {environment_of(read_stages(file), name).get("TRIPTYCH_PROFILE", "cpu") for name in read_stages(file)}
    assert chosen <= {*profile_names(CHECKOUT), "armnn"}


def test_base_images_are_pinned(file):
    stages, text = read_stages(file), file.read_text()
    bases = {stage.base for stage in stages.values() if stage.base not in stages}
    images = {re.search(rf"^ARG {base[2:-1]}=(.*)$", text, re.M)[1] if base.startswith("${") else base for base in bases}
    assert all(re.fullmatch(r"[\w./-]+:[\w.-]*\d[\w.-]*", image) for image in images)


def test_images_run_as_a_user_without_rights(file):
    stages = read_stages(file)
    finals = [name for name in stages if not any(stage.base == name or f"--from={name} " in str(stage.steps) for stage in stages.values())]
    assert finals
    for name in finals:
        stage, users = name, []
        while stage in stages:
            users = [*stages[stage].all("USER"), *users]
            stage = stages[stage].base
        assert users[-1] == "1000:1000"


def test_no_weights_go_to_a_build():
    kept = {"demo/weights"}
    sent = [str(file) for file in sent_files(ROOT) if file.suffix in {".onnx", ".rknn", ".tflite"}]
    assert [name for name in sent if not any(name.startswith(folder) for folder in kept)] == []
    assert "model_repository/*/1/*" in (ROOT / ".dockerignore").read_text().splitlines()
