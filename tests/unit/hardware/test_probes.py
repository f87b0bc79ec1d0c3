"""The probes' readers, on what machines really write and on what no machine should."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import boards
from triptych_server.hardware import nvidia
from triptych_server.hardware.amd import gfx_name
from triptych_server.hardware.container import probe_container
from triptych_server.hardware.describe import describe
from triptych_server.hardware.doctor import diagnose
from triptych_server.hardware.libraries import load_problems
from triptych_server.hardware.machine import probe
from triptych_server.hardware.nodes import device_nodes
from triptych_server.hardware.nvidia import NvidiaGpu, ask_nvidia_smi, kernel_driver, parse_answer
from triptych_server.hardware.recommend import recommended_profile
from triptych_server.hardware.software import cuda_release
from triptych_server.hardware.tree import Tree
from triptych_server.hardware.versions import find_version, version

BOARDS = [getattr(boards, name) for name in boards.__all__ if name.isupper()]


@pytest.mark.parametrize(
    ("number", "name"), [(0, ""), (100300, "gfx1030"), (90010, "gfx90a"), (110501, "gfx1151"), (90402, "gfx942"), (120001, "gfx1201")]
)
def test_the_kernels_number_becomes_the_compilers_name(number, name):
    assert gfx_name(f"simd_count 160\ngfx_target_version {number}\nlocation_id 768") == name


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  545.29.06  Thu Nov 16 01:59:08 UTC 2023\nGCC version:  gcc 12.3.0", "545.29.06"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (dvs-builder@U22)", "570.86.15"),
        ("GCC version:  gcc version 12.3.0", ""),
        ("", ""),
    ],
)
def test_the_driver_of_both_kernel_modules(text, driver):
    assert kernel_driver(text) == driver


def test_the_fields_of_nvidia_smi():
    lines = "NVIDIA H200, 9.0, 580.95.05, 143771 MiB\nno devices were found\nNVIDIA Tesla K80, [N/A], 470.1, 11441 MiB\n"
    assert parse_answer(lines) == ((NvidiaGpu("NVIDIA H200", "9.0", "143771 MiB"), "580.95.05"),)


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("echo name, 8.6, 550.1, 1 MiB", "name, 8.6, 550.1, 1 MiB\n"),
        ("echo has failed; exit 9", ""),
        ("exec sleep 60", ""),
        ("kill -9 $$", ""),
    ],
)
def test_an_nvidia_smi_that_fails_or_hangs_is_an_empty_answer(tmp_path, monkeypatch, script, answer):
    boards.build({"nvidia-smi": f"#!/bin/sh\n{script}\n"}, tmp_path)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(nvidia, "TIMEOUT", 0.5)
    assert ask_nvidia_smi(Tree()) == answer


@pytest.mark.parametrize(
    ("requires", "release"),
    [
        ('nvidia-cuda-runtime~=13.0; extra == "cuda"', "13"),
        ('nvidia-cuda-runtime-cu12~=12.0; extra == "cuda"', "12"),
        ("numpy>=1.21.6", ""),
    ],
)
def test_the_cuda_release_of_a_package(requires, release):
    assert cuda_release(requires) == release


def test_versions_are_found_and_compared():
    assert find_version("RKNPU driver: v0.9.8\n") == "0.9.8"
    assert find_version("no number") == ""
    assert version("545.29.06") > version("545") > version("535.183.01")


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({}, ""),
        ({".dockerenv": ""}, "docker"),
        ({"run/.containerenv": 'engine="podman"'}, "podman"),
        ({"proc/1/cgroup": "12:pids:/kubepods/besteffort/pod1/abc\n"}, "kubernetes"),
        ({"proc/1/environ": b"TERM=linux\0container=lxc\0"}, "lxc"),
        ({"proc/1/cgroup": "0::/init.scope\n"}, ""),
        ({"run/systemd/container": "wsl\n"}, ""),
        ({"proc/1/environ": b"container=\xff\x00"}, ""),
    ],
)
def test_containers_by_their_marks(tmp_path, files, kind):
    assert probe_container(Tree(boards.build(files, tmp_path))).kind == kind


def test_a_library_that_cannot_be_loaded_says_which_file_it_wants():
    problems = load_problems(Tree(), {"libc.so.6": ["libc.so.6"], "libnvinfer.so.10": ["libnvinfer.so.10"]})
    assert problems["libc.so.6"] == ""
    assert "libnvinfer.so.10" in problems["libnvinfer.so.10"]


def test_a_library_that_kills_its_process_does_not_kill_this_one(monkeypatch):
    monkeypatch.setattr("triptych_server.hardware.libraries.LOADER", "import os; os.abort()")
    assert load_problems(Tree(), {"libbad.so": ["libbad.so"]}) == {"libbad.so": "loading it ended the process with code -6"}


def test_a_device_node_of_this_machine_is_opened():
    (null,) = device_nodes(Tree(), "dev/null")
    assert (null.path, null.problem) == ("/dev/null", "")
    assert device_nodes(Tree(), "dev/mali0-that-is-not-there") == ()


def test_this_machine_is_looked_at_without_importing_a_runtime():
    code = (
        "import sys; from triptych_server.hardware.recommend import recommended_profile; "
        "print(recommended_profile(['cpu', 'openvino'])); print(sorted({'openvino', 'onnxruntime', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[1] == "[]"
    assert done.stdout.splitlines()[0] in ("cpu", "openvino")


def test_auto_is_the_doctors_advice(tmp_path):
    assert recommended_profile(("cpu", "openvino", "cuda"), boards.build(boards.RTX_3060, tmp_path)) == "cuda"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files_are_as_if_they_were_not_there(tmp_path):
    root = boards.build(boards.ROCK_5B, tmp_path)
    (root / "sys/kernel/debug").chmod(0)
    try:
        assert probe(root).rockchip.driver == ""
    finally:
        (root / "sys/kernel/debug").chmod(0o755)


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"\xff\xfe" * 99, b"9" * 5000, b": : :\n\n=\n0x\n", b"processor"])
def test_garbled_files_are_survived(tmp_path, content):
    for index, board in enumerate(BOARDS):
        root = boards.build(dict.fromkeys(board, content), tmp_path / str(index))
        assert describe(probe(root))
        assert diagnose(probe(root), ("cpu",)).recommended == "cpu"


def test_folders_in_the_place_of_files_are_survived(tmp_path):
    for index, board in enumerate(BOARDS):
        for path in board:
            (tmp_path / str(index) / path).mkdir(parents=True)
        assert diagnose(probe(tmp_path / str(index)), ("cpu",)).recommended == "cpu"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_content_is_survived(tmp_path, data):
    board = data.draw(st.sampled_from(BOARDS))
    path = data.draw(st.sampled_from(sorted(board)))
    garbled = data.draw(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
    root = boards.build({**board, path: garbled}, tmp_path / str(BOARDS.index(board)))
    try:
        assert diagnose(probe(root), ("cpu", "openvino")).recommended in ("cpu", "openvino")
    finally:
        boards.build({path: board[path]}, Path(root))
