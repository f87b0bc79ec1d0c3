"""The doctor on boards: which profiles run, which one is recommended, what is missing and what mends it."""

import dataclasses
import json

import pytest

from tests.support import boards
from triptych_server.hardware.doctor import examine
from triptych_server.hardware.finding import Status
from triptych_server.hardware.needs import NEEDS

ALL = tuple(NEEDS)
"""As if the repository had every profile."""


@pytest.fixture
def look(tmp_path_factory):
    """`look(board, available)`: the diagnosis of a board."""

    def run(board, available=ALL):
        return examine(available, boards.build(board, tmp_path_factory.mktemp("board")))

    return run


def findings(diagnosis, profile):
    """Those of a profile that are not well, by what they are about."""
    assert diagnosis.verdict(profile).hardware
    return {finding.what: finding for finding in diagnosis.verdict(profile).findings if finding.status is not Status.OK}


@pytest.mark.parametrize(
    ("board", "recommended", "runs"),
    [
        (boards.PLAIN_SERVER, "openvino", {"openvino", "cpu"}),
        (boards.N100, "openvino", {"openvino", "cpu"}),
        (boards.CORE_ULTRA, "openvino", {"openvino", "cpu"}),
        (boards.CORE_ULTRA_BARE, "openvino", {"openvino", "cpu"}),
        (boards.RTX_3060, "tensorrt", {"tensorrt", "cuda", "openvino", "cpu"}),
        (boards.RTX_3060_CUDA_12, "cuda", {"cuda", "cpu"}),
        (boards.RTX_3060_OLD_DRIVER, "openvino", {"openvino", "cpu"}),
        (boards.RTX_3060_IN_CONTAINER, "openvino", {"openvino", "cpu"}),
        (boards.GTX_750, "cpu", {"cpu"}),
        (boards.RADEON_6800, "migraphx", {"migraphx", "openvino", "cpu"}),
        (boards.RADEON_6800_IN_CONTAINER, "openvino", {"openvino", "cpu"}),
        (boards.RADEON_6700, "openvino", {"openvino", "cpu"}),
        (boards.ROCK_5B, "rknn", {"rknn", "cpu"}),
        (boards.ROCK_5B_OLD_DRIVER, "cpu", {"cpu"}),
        (boards.ROCK_5B_IN_CONTAINER, "cpu", {"cpu"}),
        (boards.ORANGE_PI_5, "armnn", {"armnn", "cpu"}),
        (boards.ORANGE_PI_5_WITHOUT_LIBMALI, "cpu", {"cpu"}),
        (boards.RASPBERRY_PI_5, "cpu", {"openvino", "cpu"}),
    ],
)
def test_what_runs_and_what_is_recommended(look, board, recommended, runs):
    diagnosis = look(board)
    assert diagnosis.recommended == recommended
    assert {verdict.profile for verdict in diagnosis.verdicts if verdict.runs} == runs
    assert diagnosis.why


def test_only_a_profile_that_the_repository_has_is_recommended(look):
    diagnosis = look(boards.RTX_3060, ("cpu", "openvino"))
    assert diagnosis.recommended == "openvino"
    assert "tensorrt and cuda could run here, but this repository does not have them" in diagnosis.why
    assert look(boards.RTX_3060, ("cpu",)).recommended == "cpu"


def test_nothing_that_runs_is_still_an_answer(look):
    diagnosis = look({})
    assert diagnosis.recommended == "cpu"
    assert not diagnosis.verdict("cpu").runs
    assert findings(diagnosis, "cpu")["runtime"].mend == "pip install onnxruntime"


@pytest.mark.parametrize("name", [name for name in boards.__all__ if name.isupper()])
def test_every_finding_that_is_not_well_says_what_was_found_and_expected_and_what_mends_it(look, name):
    for verdict in look(getattr(boards, name)).verdicts:
        for finding in (*verdict.missing, *verdict.warnings):
            assert finding.found
            assert finding.expected
            assert finding.mend or not verdict.hardware


def test_a_diagnosis_can_be_written_as_json(look):
    assert json.loads(json.dumps(dataclasses.asdict(look(boards.CORE_ULTRA))))["recommended"] == "openvino"


def test_intel_gpu_and_npu_are_seen_and_what_they_lack_is_a_warning(look):
    machine = look(boards.CORE_ULTRA).machine
    assert machine.intel.gpus == ("Intel Arc Graphics (Meteor Lake)",)
    assert machine.intel.npus == ("Intel NPU (Meteor Lake)",)
    assert look(boards.CORE_ULTRA).why.endswith("; on the Intel GPU: --target-device GPU; on the Intel NPU: --target-device NPU")
    assert "--target-device" not in look(boards.CORE_ULTRA_BARE).why
    bare = findings(look(boards.CORE_ULTRA_BARE), "openvino")
    assert set(bare) == {"Intel GPU", "Intel NPU"}
    assert all(finding.status is Status.WARNING for finding in bare.values())
    assert "intel-opencl-icd" in bare["Intel GPU"].mend


def test_an_old_nvidia_driver_is_named_with_the_one_that_the_runtime_wants(look):
    driver = findings(look(boards.RTX_3060_OLD_DRIVER), "cuda")["driver"]
    assert (driver.found, driver.status) == ("535.183.01", Status.MISSING)
    assert driver.expected == "580 or newer (onnxruntime-gpu 1.31.1 is built for CUDA 13)"


def test_without_a_runtime_that_says_more_the_floors_are_those_of_cuda_12(look):
    assert findings(look(boards.GTX_750), "cuda")["compute capability"].expected == "5.2 or higher"


def test_cuda_13_has_left_the_old_generations_behind(look):
    pascal = boards.RTX_3060 | {"recorded/nvidia-smi.csv": "NVIDIA GeForce GTX 1080, 6.1, 580.95.05, 8192 MiB\n"}
    capability = findings(look(pascal), "cuda")["compute capability"]
    assert capability.expected.startswith("7.5 or higher")
    assert "CUDA 12" in capability.mend


def test_of_several_gpus_the_old_one_is_left_out(look):
    mixed = "NVIDIA GeForce GTX 750 Ti, 5.0, 580.95.05, 2048 MiB\nNVIDIA GeForce RTX 3060, 8.6, 580.95.05, 12288 MiB\n"
    capability = findings(look(boards.RTX_3060 | {"recorded/nvidia-smi.csv": mixed}), "cuda")["compute capability"]
    assert (capability.status, capability.mend) == (Status.WARNING, "environment: CUDA_VISIBLE_DEVICES=1")


def test_a_container_without_the_gpu_is_told_the_option(look):
    diagnosis = look(boards.RTX_3060_IN_CONTAINER)
    assert set(findings(diagnosis, "cuda")) == {"device access"}
    assert "--gpus all" in findings(diagnosis, "cuda")["device access"].mend


def test_two_builds_of_onnxruntime_are_one_too_many(look):
    both = boards.RTX_3060 | {"opt/triptych/lib/python3.11/site-packages/onnxruntime-1.31.1.dist-info/METADATA": ""}
    alone = findings(look(both), "cuda")["runtime alone"]
    assert alone.mend == "pip uninstall -y onnxruntime-gpu onnxruntime && pip install onnxruntime-gpu"


def test_the_ngc_container_brings_its_own_runtime(look):
    native = {f"opt/tritonserver/backends/{name}/libtriton_{name}.so": "" for name in ("onnxruntime", "openvino", "python")}
    ngc = {path: content for path, content in boards.RTX_3060.items() if "site-packages" not in path} | native
    assert look(ngc).recommended == "tensorrt"


@pytest.mark.parametrize(
    ("name", "driver", "status"),
    [
        ("NVIDIA GeForce RTX 3060", "570.86.15", Status.MISSING),
        ("NVIDIA A10", "570.86.15", Status.WARNING),  # with the container's compatibility libraries
        ("NVIDIA A10", "525.60.13", Status.MISSING),
        ("NVIDIA A10", "580.95.05", None),
    ],
)
def test_the_ngc_container_says_its_cuda_release(look, name, driver, status):
    native = {"opt/tritonserver/backends/onnxruntime/libtriton_onnxruntime.so": "", "proc/self/environ": "CUDA_VERSION=13.2.0\0"}
    found = findings(look(boards.card(name, "2504", driver, "8.6", "12288 MiB") | native), "cuda").get("driver")
    assert (found.status if found else None) == status
    assert not found or found.expected.startswith("580 or newer (the Triton in /opt/tritonserver is built for CUDA 13)")


@pytest.mark.parametrize(
    ("environment", "status", "mend"),
    [
        ("", Status.MISSING, "export HSA_OVERRIDE_GFX_VERSION=10.3.0"),
        ("HSA_OVERRIDE_GFX_VERSION=navi\0", Status.MISSING, "export HSA_OVERRIDE_GFX_VERSION=10.3.0"),
        ("HSA_OVERRIDE_GFX_VERSION=10.3.1\0", Status.MISSING, "export HSA_OVERRIDE_GFX_VERSION=10.3.0"),
        ("HSA_OVERRIDE_GFX_VERSION=10.3.0\0", Status.WARNING, "export HSA_USE_SVM=0"),
        ("HSA_OVERRIDE_GFX_VERSION=10.3.0\0HSA_USE_SVM=0\0", None, None),
    ],
)
def test_a_radeon_that_rocm_does_not_know_needs_the_override(look, environment, status, mend):
    target = findings(look(boards.RADEON_6700 | {"proc/self/environ": environment}), "migraphx").get("graphics target")
    assert (target and target.status) == status
    assert target is None or target.mend.startswith(mend)


def test_a_radeon_that_rocm_knows_needs_none(look):
    target = findings(look(boards.RADEON_6800 | {"proc/self/environ": "HSA_OVERRIDE_GFX_VERSION=11.0.0\0"}), "migraphx")["graphics target"]
    assert (target.status, target.mend) == (Status.WARNING, "unset HSA_OVERRIDE_GFX_VERSION")


def test_devices_without_their_group_are_told_the_group(look):
    refused = findings(look(boards.RADEON_6800_IN_CONTAINER), "migraphx")["device access"]
    assert refused.found.endswith("Permission denied")
    assert "group_add" in refused.mend
    on_host = {path: content for path, content in boards.RADEON_6800_IN_CONTAINER.items() if path != ".dockerenv"}
    assert findings(look(on_host), "migraphx")["device access"].mend.startswith("sudo usermod -aG render $USER")


def test_an_old_npu_driver_is_named(look):
    driver = findings(look(boards.ROCK_5B_OLD_DRIVER), "rknn")["NPU driver"]
    assert (driver.found, driver.expected) == ("0.8.2", "RKNPU driver 0.9.8 or newer")


def test_a_hidden_device_tree_is_told_apart_from_another_board(look):
    hidden = findings(look(boards.ROCK_5B_IN_CONTAINER), "rknn")
    assert set(hidden) == {"device tree"}
    assert "systempaths=unconfined" in hidden["device tree"].mend
    blind = {path: content for path, content in boards.ROCK_5B_IN_CONTAINER.items() if not path.startswith("sys/")}
    assert "systempaths=unconfined" in look(blind).verdict("rknn").missing[0].mend


def test_the_runtime_library_must_be_of_the_toolkits_release(look):
    older = findings(look(boards.ROCK_5B | {"usr/lib/librknnrt.so": b"\0librknnrt version: 2.3.0 (c949ad889d)\0"}), "rknn")["librknnrt"]
    assert (older.status, older.found) == (Status.MISSING, "2.3.0")
    newer = findings(look(boards.ROCK_5B | {"usr/lib/librknnrt.so": b"\0librknnrt version: 2.6.0 (c949ad889d)\0"}), "rknn")["librknnrt"]
    assert newer.status is Status.WARNING
    silent = findings(look(boards.ROCK_5B | {"usr/lib/librknnrt.so": b""}), "rknn")["librknnrt"]
    assert silent.status is Status.WARNING


def test_mali_without_its_library_and_firmware(look):
    diagnosis = look(boards.ORANGE_PI_5_WITHOUT_LIBMALI)
    assert set(findings(diagnosis, "armnn")) == {"libmali", "firmware"}


def test_mali_under_the_open_driver(look):
    panthor = {path: content for path, content in boards.ORANGE_PI_5.items() if "mali0" not in path}
    panthor["sys/class/drm/renderD128/device/uevent"] = "DRIVER=panthor\n"
    assert "open driver panthor" in findings(look(panthor), "armnn")["device access"].found


def test_an_opencl_loader_that_does_not_know_mali_is_a_warning(look):
    opencl = findings(look(boards.ORANGE_PI_5 | {"usr/lib/aarch64-linux-gnu/libOpenCL.so.1": ""}), "armnn")["OpenCL"]
    assert opencl.status is Status.WARNING
    assert "mali.icd" in opencl.mend
