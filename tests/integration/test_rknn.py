"""Networks converted by the real rknn-toolkit2, served by the real Triton and the real backend; Rockchip's PC simulator is the NPU."""

import contextlib
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest

from demo.scenes import EVALUATION_SEEDS, draw, sample
from tests.support import rknn_board
from tests.support.converted import agree, captions_find_their_pictures, group_photos, infer, original
from tests.support.faces import ask, connect, iou
from tests.support.prometheus import counter
from tests.support.serving import CHECKOUT, serving
from triptych_server.models import samples
from triptych_server.models.convert.convert import convert, networks_for
from triptych_server.models.convert.rknn import RknnConverter
from triptych_server.models.use_faces import use_faces

pytestmark = pytest.mark.timeout(1200)  # the first to need the converter installs it

TARGET = "rk3588"
TRIPTYCH = str(Path(sys.executable).with_name("triptych"))
NETWORKS = ("clip_visual", "face_detection", "face_recognition")
LIMITS = {"cosine": 0.999, "pixels": 2.0, "score": 0.01}


@pytest.fixture(scope="module")
def repository(rknn_toolkit, demo_repository, tmp_path_factory):
    """The demo's models, converted."""
    made = demo_repository.copy_to(tmp_path_factory.mktemp("rknn") / "repository", weights=True)
    use_faces(CHECKOUT.demo_faces, made)
    converter = RknnConverter(rknn_toolkit, TARGET)
    assert tuple(networks_for(made, converter, [])) == NETWORKS
    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(lambda network: convert(made, network, converter, print), NETWORKS))
    for report in reports:
        assert sorted(file.name for file in report.folder.iterdir()) == ["conversion.json", "model.rknn", "tail.onnx"]
        rknn_board.lay_core_beside(report.folder)
    return made


@pytest.fixture(scope="module")
def npu(repository, rknn_toolkit, tmp_path_factory):
    """The profile rknn on a board that is not here."""
    folder = tmp_path_factory.mktemp("board")
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "executable", str(rknn_board.make_python(folder, rknn_toolkit)))  # Triton's stubs run what the engine runs
            running = stack.enter_context(serving(repository, folder, profile="rknn"))
        yield running


@pytest.fixture(scope="module")
def cpu(repository, tmp_path_factory):
    """The plain-CPU profile on the same models."""
    with serving(repository, tmp_path_factory.mktemp("plain")) as running:
        yield running


def side(repository, network):
    return onnx.load(str(repository.model(network) / "1" / "model.onnx")).graph.input[0].type.tensor_type.shape.dim[1].dim_value


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("batch", [1, 4])
def test_every_output_agrees_with_float32(npu, repository, network, batch):
    rows = samples.pictures(side(repository, network), batch)
    with connect(npu) as client:
        found, wanted = infer(client, network, rows), original(repository, network, rows)
    agree(found, wanted, **LIMITS)
    assert not any(np.array_equal(found[name], wanted[name]) for name in wanted)  # half precision did run


def test_many_clients_each_get_the_answer_to_their_own_picture(npu, repository):
    """Sixteen clients, batches of one to three, forty different pictures: what comes back is nearest to that picture's own answer."""
    pictures = np.stack([np.asarray(draw(sample(seed), (224, 224)).convert("RGB")) for seed in EVALUATION_SEEDS[:40]])
    assert pictures.shape[1] == side(repository, "clip_visual")
    known = original(repository, "clip_visual", pictures)["embedding"]
    others = known @ known.T - np.eye(len(known))
    assert others.max() < LIMITS["cosine"], "pictures that look alike would prove nothing"
    random = np.random.default_rng(1)
    asked = [random.integers(0, len(pictures), 1 + at % 3) for at in range(160)]
    with connect(npu) as client, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda which: infer(client, "clip_visual", pictures[which])["embedding"], asked))
    for which, answer in zip(asked, answers, strict=True):
        np.testing.assert_array_equal((answer @ known.T).argmax(-1), which)
        assert (answer * known[which]).sum(-1).min() >= LIMITS["cosine"]


def test_the_metric_tells_what_runs_where(npu):
    for network in NETWORKS:
        labels = {"requested": "RKNPU", "actual": "RK3588 NPU, driver 0.9.8, runtime 2.5.0", "precision": "f16", "profile": "rknn"}
        assert counter(npu.metrics_url, "triptych_device_info", model=network, **labels) == 1
    assert counter(npu.metrics_url, "triptych_device_info", model="clip_textual", requested="CPU", actual="CPU", precision="f32") == 1


def test_captions_find_their_pictures(npu, cpu):
    captions_find_their_pictures(npu, cpu, cosine=LIMITS["cosine"])


def test_faces_are_those_that_a_processor_finds(npu, cpu):
    with connect(npu) as on_npu, connect(cpu) as on_cpu:
        pairs = [(ask(on_npu, photo), ask(on_cpu, photo)) for photo in group_photos(6)]
    assert sum(len(wanted["boxes"]) for _, wanted in pairs) >= 6
    for found, wanted in pairs:
        assert len(found["boxes"]) == len(wanted["boxes"])
        for box, landmarks, score, embedding in zip(
            *(wanted[name] for name in ("boxes", "landmarks", "scores", "embeddings")), strict=True
        ):
            best = int(np.argmax([iou(box, other) for other in found["boxes"]]))
            assert iou(box, found["boxes"][best]) > 0.95
            assert np.abs(found["landmarks"][best] - landmarks).max() <= LIMITS["pixels"]
            assert abs(found["scores"][best] - score) <= LIMITS["score"]
            assert embedding @ found["embeddings"][best] >= 0.99  # the crop moves with the landmarks, by parts of a pixel


def triptych(*arguments):
    run = subprocess.run([TRIPTYCH, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in run.stderr
    return run


def test_the_command_converts_and_says_what_came_out(repository, tmp_path):
    copy = repository.copy_to(tmp_path / "repository")
    for network in NETWORKS[1:]:
        shutil.copyfile(repository.model(network) / "1" / "model.onnx", copy.model(network) / "1" / "model.onnx")
    done = triptych("models", "convert", "--target", "rk3566", "face_recognition", "--repository", copy.root)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"face_recognition: cosine (0\.999\d+|1\.000000), \d+\.\d MB in .*/face_recognition/1/rk3566, \d+ s\n", done.stdout)
    assert done.stderr == "face_recognition: compiling for rk3566\n"
    assert (copy.model("face_recognition") / "1" / "rk3566" / "model.rknn").is_file()
    assert not (copy.model("face_detection") / "1" / "rk3566").exists()
    for arguments, words in (
        (["--target", "rk3588", "clip_textual"], "clip_textual is not converted for rk3588: a query is one short run"),
        (["--target", "rk3399"], "unknown target 'rk3399'; there are: rk3566"),
        (["--target", "rk3588", "clip_visual"], "clip_visual has no model.onnx"),
    ):
        refused = triptych("models", "convert", *arguments, "--repository", copy.root)
        assert refused.returncode == 1
        assert words in refused.stderr
