"""Networks converted by the real rknn-toolkit2, served by the real Triton and the real backend; Rockchip's PC simulator is the NPU."""

import contextlib
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import pytest
import tritonclient.grpc as triton_grpc

from demo.faces.album import people_photos
from demo.people import draw_group
from demo.scenes import EVALUATION_SEEDS, caption, draw, sample
from tests.support import rknn_board
from tests.support.drawn import encode
from tests.support.faces import ask, connect, iou
from tests.support.prometheus import counter
from tests.support.serving import CHECKOUT, options
from triptych_server.engine import Engine
from triptych_server.errors import ConverterMissingError, EngineError
from triptych_server.models import samples
from triptych_server.models.convert.convert import convert, networks_for
from triptych_server.models.convert.environment import prepare
from triptych_server.models.convert.rknn import RECIPE, RknnConverter
from triptych_server.models.sessions import open_session
from triptych_server.models.use_faces import use_faces

pytestmark = pytest.mark.timeout(1200)  # the first to need the converter installs it

TARGET = "rk3588"
TRIPTYCH = str(Path(sys.executable).with_name("triptych"))
NETWORKS = ("clip_visual", "face_detection", "face_recognition")
COSINE, PIXELS, SCORE = 0.999, 2.0, 0.01


@pytest.fixture(scope="module")
def toolkit():
    """The environment that `triptych models convert` makes, kept in the user's cache between runs."""
    try:
        return prepare(RECIPE, print)
    except ConverterMissingError as error:
        pytest.skip(f"rknn-toolkit2 cannot be installed here: {error}")


@pytest.fixture(scope="module")
def repository(toolkit, demo_repository, tmp_path_factory):
    """The demo's models, converted."""
    made = demo_repository.copy_to(tmp_path_factory.mktemp("rknn") / "repository", weights=True)
    use_faces(CHECKOUT.demo_faces, made)
    converter = RknnConverter(toolkit, TARGET)
    assert tuple(networks_for(made, converter, [])) == NETWORKS
    for network in NETWORKS:
        report = convert(made, network, converter, print)
        assert sorted(file.name for file in report.folder.iterdir()) == ["conversion.json", "model.rknn", "tail.onnx"]
        rknn_board.lay_core_beside(report.folder)
    return made


@pytest.fixture(scope="module")
def npu(repository, toolkit, tmp_path_factory):
    """The profile rknn on a board that is not here."""
    folder = tmp_path_factory.mktemp("board")
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "executable", str(rknn_board.make_python(folder, toolkit)))  # Triton's stubs run what the engine runs
            running = stack.enter_context(Engine(options(repository, folder, profile="rknn")))
        yield running


@pytest.fixture(scope="module")
def cpu(repository, tmp_path_factory):
    """The plain-CPU profile on the same models."""
    with Engine(options(repository, tmp_path_factory.mktemp("plain"))) as running:
        yield running


def original(repository, network, rows):
    """The served graph's outputs by name, in float32."""
    session = open_session(repository.model(network) / "1" / "model.onnx")
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": rows}), strict=True))


def infer(client, network, rows):
    tensor = triton_grpc.InferInput("image", rows.shape, "UINT8")
    tensor.set_data_from_numpy(rows)
    answer = client.infer(network, [tensor])
    return {output.name: answer.as_numpy(output.name) for output in answer.get_response().outputs}


def side(repository, network):
    return onnx.load(str(repository.model(network) / "1" / "model.onnx")).graph.input[0].type.tensor_type.shape.dim[1].dim_value


def agree(found, wanted):
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert (found[name].shape, found[name].dtype) == (array.shape, np.float32)
        if name == "embedding":
            assert (found[name] * array).sum(-1).min() >= COSINE
            assert np.linalg.norm(found[name], axis=-1) == pytest.approx(1, abs=1e-5)
        else:
            assert np.abs(found[name] - array).max() <= (SCORE if name == "scores" else PIXELS), name


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("batch", [1, 4])
def test_every_output_agrees_with_float32(npu, repository, network, batch):
    rows = samples.pictures(side(repository, network), batch)
    with connect(npu) as client:
        found, wanted = infer(client, network, rows), original(repository, network, rows)
    agree(found, wanted)
    assert not any(np.array_equal(found[name], wanted[name]) for name in wanted)  # half precision did run


def test_many_clients_each_get_the_answer_to_their_own_picture(npu, repository):
    """Sixteen clients, batches of one to three, forty different pictures: what comes back is nearest to that picture's own answer."""
    pictures = np.stack([np.asarray(draw(sample(seed), (224, 224)).convert("RGB")) for seed in EVALUATION_SEEDS[:40]])
    assert pictures.shape[1] == side(repository, "clip_visual")
    known = original(repository, "clip_visual", pictures)["embedding"]
    others = known @ known.T - np.eye(len(known))
    assert others.max() < COSINE, "pictures that look alike would prove nothing"
    random = np.random.default_rng(1)
    asked = [random.integers(0, len(pictures), 1 + at % 3) for at in range(160)]
    with connect(npu) as client, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda which: infer(client, "clip_visual", pictures[which])["embedding"], asked))
    for which, answer in zip(asked, answers, strict=True):
        np.testing.assert_array_equal((answer @ known.T).argmax(-1), which)
        assert (answer * known[which]).sum(-1).min() >= COSINE


def test_the_metric_tells_what_runs_where(npu):
    for network in NETWORKS:
        labels = {"requested": "RKNPU", "actual": "RK3588 NPU, driver 0.9.8, runtime 2.5.0", "precision": "f16", "profile": "rknn"}
        assert counter(npu.metrics_url, "triptych_device_info", model=network, **labels) == 1
    assert counter(npu.metrics_url, "triptych_device_info", model="clip_textual", requested="CPU", actual="CPU", precision="f32") == 1


def strings(values, name):
    tensor = triton_grpc.InferInput(name, [len(values), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[value] for value in values], dtype=object))
    return tensor


def embed(engine, values, model, name):
    with connect(engine) as client:
        return client.infer(model, [strings(values, name)]).as_numpy("embedding")


def test_captions_find_their_pictures(npu, cpu):
    scenes = [sample(seed) for seed in EVALUATION_SEEDS[:12]]
    jpegs = [encode(draw(scene, (480, 360)), "jpeg") for scene in scenes]
    images = embed(npu, jpegs, "search_image", "image")
    assert (images * embed(cpu, jpegs, "search_image", "image")).sum(-1).min() >= COSINE
    texts = embed(npu, [caption(scene).encode() for scene in scenes], "search_text", "text")
    assert ((images @ texts.T).argmax(-1) == np.arange(len(scenes))).mean() >= 0.9


def test_faces_are_those_that_a_processor_finds(npu, cpu):
    photos = []
    for photo in people_photos(6):
        data = BytesIO()
        draw_group(photo.group, photo.size)[0].convert("RGB").save(data, "JPEG", quality=90)
        photos.append(data.getvalue())
    with connect(npu) as on_npu, connect(cpu) as on_cpu:
        pairs = [(ask(on_npu, photo), ask(on_cpu, photo)) for photo in photos]
    assert sum(len(wanted["boxes"]) for _, wanted in pairs) >= 6
    for found, wanted in pairs:
        assert len(found["boxes"]) == len(wanted["boxes"])
        for box, landmarks, score, embedding in zip(
            *(wanted[name] for name in ("boxes", "landmarks", "scores", "embeddings")), strict=True
        ):
            best = int(np.argmax([iou(box, other) for other in found["boxes"]]))
            assert iou(box, found["boxes"][best]) > 0.95
            assert np.abs(found["landmarks"][best] - landmarks).max() <= PIXELS
            assert abs(found["scores"][best] - score) <= SCORE
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


def test_a_stale_conversion_is_not_loaded(repository, toolkit, tmp_path):
    copy = repository.copy_to(tmp_path / "repository", weights=True)
    graph = copy.model("face_recognition") / "1" / "model.onnx"
    newer = onnx.load(str(graph))
    newer.doc_string = "imported again"
    onnx.save_model(newer, str(graph))
    for network in ("clip_visual", "clip_textual", "face_detection"):
        shutil.rmtree(copy.model(network))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(rknn_board.make_python(tmp_path / "board", toolkit)))
        stale = "rk3588 was converted from another graph; run `triptych models convert --target rk3588`"
        with pytest.raises(EngineError, match=stale), Engine(options(copy, tmp_path, profile="rknn")):
            pass
