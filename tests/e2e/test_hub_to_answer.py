"""From a hub to an answer, for every layout: pulled by name, used under one running server, asked over gRPC, and compared with what the
torch modules that were exported answer themselves."""

import functools
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from onnx import numpy_helper
from PIL import ImageOps

from tests.support.demo import demo_repository
from tests.support.drawn import encode, picture
from tests.support.hub import Hub, hub_environment, running_hub
from tests.support.serving import CHECKOUT, serving
from tests.support.traffic import Traffic
from triptych import Client
from triptych_server.configs.edit import set_parameter
from triptych_server.engine import Engine
from triptych_server.errors import ModelImportError
from triptych_server.models import use as using
from triptych_server.models.any_folder import use_any
from triptych_server.models.cache import Cache
from triptych_server.models.model_name import model_name
from triptych_server.models.served_names import served_names
from triptych_server.models.use_named import use_named
from triptych_server.repository import Repository

TRIPTYCH = str(Path(sys.executable).with_name("triptych"))
CLIPS = {
    "open_clip": "ViT-B-32__openai",
    "resnet": "RN50__openai",
    "siglip": "ViT-B-16-SigLIP__webli",
    "m_clip": "XLM-Roberta-Large-Vit-B-32",
    "nllb_clip": "nllb-clip-base-siglip__v1",
}
OPEN_CLIP, FACES = CLIPS["open_clip"], "buffalo_s"
TEXTS = (
    "a photo of two red boats",
    "An astronaut in an orange suit, smiling!",
    "  odd   white\tspace\n",
    "",
    "赤い船",
    "ein rotes Boot",
    "sea " * 200,
)
LEAST = 0.9999  # cosine to the reference
APART = 0.999  # no two different inputs are that near to each other


@pytest.fixture(scope="session")
def made():
    """Name of a family -> its model, made once; `faces` is the pack."""
    for package in ("torch", "transformers", "onnxscript", "sentencepiece"):
        pytest.importorskip(package, reason=f"{package} is not installed: models are exported with it, or it is a reference")
    from tests.support.hub_models import clips
    from tests.support.hub_models.face_pack import FacePack

    return cache(lambda name: FacePack(7) if name == "faces" else getattr(clips, name)())


@dataclass(frozen=True)
class Served:
    """A hub, a cache, and an engine that serves a repository."""

    hub: Hub
    cache: Cache
    repository: Repository
    engine: Engine
    first_answers: list[np.ndarray]

    def use(self, name, revision="main", **options):
        """What `triptych models use` does; the running engine changes over."""
        placed = use_named(model_name(name), self.repository, cache=self.cache, revision=revision, **options)
        assert placed.swapped == 1 or not placed.files  # nothing to do where it is served already
        return placed

    def files(self, name):
        """What the hub has of a model at `main`."""
        repository = f"immich-app/{name}"
        return dict(self.hub.commits[repository, self.hub.revisions[repository]["main"]])


@pytest.fixture(scope="module")
def hub(made):
    """The hub with all models on it, two of them in both revisions."""
    from tests.support.hub_models.export import main_revision, v2_revision

    with running_hub() as hub:
        for family, name in CLIPS.items():
            hub.add(f"immich-app/{name}", main_revision(made(family)))
        hub.add(f"immich-app/{OPEN_CLIP}", v2_revision(made("open_clip")), "v2")
        hub.add(f"immich-app/{FACES}", made("faces").main_revision())
        hub.add(f"immich-app/{FACES}", made("faces").v2_revision(), "v2")
        yield hub


@pytest.fixture(scope="module")
def served(hub, tmp_path_factory):
    """The demo's CLIP and faces on the plain-CPU profile, with every JPEG decoded in full."""
    tmp = tmp_path_factory.mktemp("served")
    repository = demo_repository(tmp_path_factory)
    for model in ("clip_preprocess", "photo_preprocess", "face_preprocess", "face_embed"):
        config = repository.model(model) / "config.pbtxt"
        config.write_text(set_parameter(config.read_text(), "decode", "exact"))
    environment = hub_environment(hub, tmp / "cache")
    with pytest.MonkeyPatch.context() as patch, serving(repository, tmp) as engine:
        for name in ("HF_HUB_OFFLINE", "HF_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            patch.delenv(name, raising=False)
        for name in ("HF_ENDPOINT", "HF_HOME", "TRIPTYCH_CACHE"):
            patch.setenv(name, environment[name])
        with Client(engine.grpc_url) as client:
            first = answers(client)
        yield Served(hub, Cache.locate(tmp / "cache"), repository, engine, first)


@pytest.fixture(scope="module")
def client(served):
    with Client(served.engine.grpc_url) as client:
        yield client


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Files of every shape; one of them is a JPEG."""
    folder = tmp_path_factory.mktemp("pictures")
    drawn = {
        "wide.png": encode(picture(192, 128), "png"),
        "high.png": encode(ImageOps.invert(picture(128, 192)), "png"),
        "square.png": encode(picture(160, 160).rotate(90), "png"),
        "photo.jpg": encode(ImageOps.posterize(picture(320, 240).rotate(180), 2), "jpeg"),
    }
    for name, data in drawn.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in drawn]


def answers(client):
    """Of whatever model is served, to two inputs."""
    return [client.embed_image(picture(192, 128)), client.embed_text("a photo of two red boats")]


def agree(ours, theirs):
    """Row by row; and rows differ, or that would say nothing."""
    found, wanted = np.stack(ours), np.stack(theirs)
    assert found.shape == wanted.shape
    agreement = (found * wanted).sum(1)
    assert agreement.min() >= LEAST, agreement.round(6)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    different = np.unique(wanted, axis=0)
    apart = different @ different.T
    np.fill_diagonal(apart, -1)
    assert apart.max() < APART


def check_images(client, model, pictures, **how):
    theirs = [model.embed_image(file, **how) for file in pictures]
    agree([client.embed_image(file) for file in pictures], theirs)
    agree([row for _, row in client.embed_images(pictures * 4, concurrency=16)], theirs * 4)
    agree([client.analyze(file, faces=False).embedding for file in pictures], theirs)


def check_texts(client, model):
    theirs = [model.embed_text(text) for text in TEXTS]
    agree([client.embed_text(text) for text in TEXTS], theirs)
    agree(client.embed_text(list(TEXTS)), theirs)  # in one batch


def fetched(served, name, revision="main"):
    """The paths that a pull brought."""
    folder = served.cache.find(model_name(name), revision).folder
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("family", ["open_clip", "resnet", "siglip", "m_clip"])
def test_a_clip_of_the_first_revision_answers_as_the_modules_it_was_exported_from(served, client, made, pictures, family):
    name = CLIPS[family]
    served.use(name)
    check_images(client, made(family), pictures)
    check_texts(client, made(family))
    assert served_names(served.repository)["clip"].repository == f"immich-app/{name}"
    networks = {"visual/model.onnx", "visual/preprocess_cfg.json", "textual/model.onnx"}
    assert fetched(served, name) == networks | {"textual/tokenizer.json", "textual/tokenizer_config.json", "config.json"}
    assert not [asked.path for asked in served.hub.asked if asked.path.endswith((".armnn", ".rknn"))]


def test_the_second_revision_is_used_from_the_command_line_and_gives_the_same_answers(served, client, made, pictures):
    """Bytes in, the fused Attention, weights in safetensors; `triptych` runs as a process of its own, and the server changes over."""
    command = [TRIPTYCH, "models", "use", OPEN_CLIP, "--revision", "v2", "--repository", served.repository.root]
    environment = hub_environment(served.hub, served.cache.root)
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{OPEN_CLIP} is served now; 1 running server changed over" in done.stdout
    check_images(client, made("open_clip"), pictures)
    check_texts(client, made("open_clip"))
    assert served_names(served.repository)["clip"].revision == "v2"
    assert {"visual/model.safetensors", "textual/model.safetensors"} <= fetched(served, OPEN_CLIP, "v2")
    original = onnx.load(served.cache.find(model_name(OPEN_CLIP), "v2").folder / "visual" / "model.onnx", load_external_data=False)
    assert {node.op_type for node in original.graph.node} >= {"Attention"}
    assert [entry.version for entry in original.opset_import if entry.domain == ""] == [23]


@pytest.mark.parametrize("tower", ["clip_visual", "clip_textual"])
def test_openvino_runs_the_fused_attention(served, tower):
    served.use(OPEN_CLIP, "v2")
    graph = served.repository.model(tower) / "1" / "model.onnx"
    assert "Attention" in {node.op_type for node in onnx.load(graph).graph.node}
    session = onnxruntime.InferenceSession(graph)
    [given] = session.get_inputs()
    random = np.random.default_rng(0).integers(0, 200, (3, *given.shape[1:]))
    rows = random.astype(np.uint8 if given.type == "tensor(uint8)" else np.int32)
    compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    agree(compiled(rows)[0], session.run(None, {given.name: rows})[0])


def test_legacy_resize_cuts_what_the_model_would_squash(served, client, made, pictures):
    model = made("siglip")
    served.use(CLIPS["siglip"], legacy_resize=True)
    check_images(client, model, pictures, squashed=False)
    check_texts(client, model)
    wide = pictures[0]
    assert model.embed_image(wide, squashed=False) @ model.embed_image(wide, squashed=True) < APART
    assert served.use(CLIPS["siglip"]).files == ()  # it stays so when nothing else is said
    assert served_names(served.repository)["clip"].legacy_resize


def test_nllb_hears_the_language_by_its_usual_code(served, client, made, pictures):
    model = made("nllb_clip")
    served.use(CLIPS["nllb_clip"])
    check_images(client, model, pictures)
    languages = {"de": "deu_Latn", "pt-BR": "por_Latn", "en": "eng_Latn"}
    for text in ("ein rotes Boot", "dois barcos, à noite", "sea " * 200):
        theirs = [model.embed_text(text, flores) for flores in languages.values()]
        agree([client.embed_text(text, language=code) for code in languages], theirs)
        assert client.embed_text(text, language="tlh-KX") @ theirs[-1] >= LEAST
    assert "Unknown language 'tlh-KX'; the text is taken as English" in served.engine.log_file.read_text()


@pytest.mark.parametrize("revision", ["main", "v2"])
def test_a_face_pack_finds_the_faces_of_its_modules_while_searches_go_on(served, client, made, pictures, revision):
    from tests.support.face_exports import pictures as photos

    with Traffic(served.engine.grpc_url, pictures[0], ("image", "text")) as traffic:
        time.sleep(0.3)
        served.use(FACES, revision)
        time.sleep(0.3)
    assert traffic.errors == []
    assert all(len(answers) > 2 for _, answers in traffic.answers)
    pack = made("faces")
    for photo in photos(2, 640):
        least = pack.clear_score(photo)
        wanted = pack.faces(photo, least)
        assert len(wanted) > 3
        for found in (client.faces(photo, min_score=least), client.analyze(photo, min_score=least).faces):
            assert len(found) == len(wanted)
            for ours, theirs in zip(found, wanted, strict=True):
                assert np.allclose(ours.box, theirs.box, atol=0.05)
                assert np.allclose(ours.landmarks, theirs.landmarks, atol=0.05)
                assert ours.score == pytest.approx(theirs.score, abs=1e-4)
            agree([face.embedding for face in found], [face.embedding for face in wanted])
    assert ("detection/model.safetensors" in fetched(served, FACES, revision)) == (revision == "v2")


def test_weights_beside_the_graphs_are_served_and_go_with_the_model(served, client, made, pictures, tmp_path, monkeypatch):
    """As with models over 2 GB, in the hub's repository and in ours. Going back gives the first model's answers to the last bit."""
    files = served.files(OPEN_CLIP)
    for tower in ("visual", "textual"):
        target = tmp_path / tower / "model.onnx"
        target.parent.mkdir()
        how = {"save_as_external_data": True, "location": "model.onnx.data", "size_threshold": 256}
        onnx.save_model(onnx.load_from_string(files[f"{tower}/model.onnx"]), target, **how)
        files |= {f"{tower}/{file.name}": file.read_bytes() for file in target.parent.iterdir()}
    served.hub.add("me/large", files)
    for step in ("import_visual", "import_textual"):
        monkeypatch.setattr(using, step, functools.partial(getattr(using, step), external_above=1000))
    served.use("me/large")
    assert {"visual/model.onnx.data", "textual/model.onnx.data"} <= fetched(served, "me/large")
    beside = [file for tower in ("clip_visual", "clip_textual") for file in served.repository.model(tower).glob("1/model.onnx.*.data")]
    assert len(beside) == 2
    check_images(client, made("open_clip"), pictures)
    check_texts(client, made("open_clip"))

    monkeypatch.undo()
    use_any(CHECKOUT.demo_weights, served.repository)
    assert not [file for file in beside if file.exists()]
    assert "clip" not in served_names(served.repository)
    assert all(np.array_equal(now, then) for now, then in zip(answers(client), served.first_answers, strict=True))


def cut(graph):
    """Half of it."""
    return graph[: len(graph) // 2]


def poisoned(graph):
    """With weights that are no numbers, as an export in too small a type can have."""
    model = onnx.load_from_string(graph)
    weights = next(tensor for tensor in model.graph.initializer if len(tensor.dims) > 1)
    weights.CopyFrom(numpy_helper.from_array(np.full(weights.dims, np.nan, np.float32), weights.name))
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("damage", "words"), [(cut, "model.onnx cannot be read as an ONNX graph"), (poisoned, "its weights are damaged: pull the model again")]
)
@pytest.mark.parametrize("tower", ["visual", "textual"])
def test_a_bad_export_leaves_the_old_model_served_and_says_why(served, client, tower, damage, words):
    name = f"me/{damage.__name__}-{tower}"
    files = served.files(OPEN_CLIP)
    served.hub.add(name, files | {f"{tower}/model.onnx": damage(files[f"{tower}/model.onnx"])})
    before, noted = answers(client), served_names(served.repository)
    with pytest.raises(ModelImportError, match=words):
        served.use(name)
    assert served.cache.find(model_name(name), "main") is not None  # the checksums were right
    assert all(np.array_equal(now, then) for now, then in zip(answers(client), before, strict=True))
    assert served_names(served.repository) == noted


def test_a_name_that_is_none_gives_the_nearest_ones(served):
    command = [TRIPTYCH, "models", "use", "ViT-B-32", "--repository", str(served.repository.root)]
    environment = hub_environment(served.hub, served.cache.root)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 1
    assert f"did you mean {OPEN_CLIP}" in done.stderr
    assert "Traceback" not in done.stderr
