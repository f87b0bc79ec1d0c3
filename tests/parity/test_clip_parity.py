"""Parity with transformers, end to end: random models are exported, imported, served, and asked over gRPC about real photos and strings."""

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc

from tests.support.real import REAL, needs_real, photos
from tests.support.serving import CHECKOUT, options
from triptych_server.configs.edit import set_parameter
from triptych_server.engine import Engine
from triptych_server.models.use import use_folder

pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch==2.13.0")
pytestmark = [
    needs_real,
    pytest.mark.filterwarnings("ignore"),  # torch's exporter talks
]

TEXTS = [
    "a photo of a cat",
    "An astronaut in an orange suit, smiling!",
    "  odd   white\tspace\n",
    "",
    "日本語のテキスト",
    "Ünïcödé & <b>html</b> 🚀",
    "word " * 200,
]


@pytest.fixture(scope="module", params=["clip", "siglip"])
def reference(request):
    from tests.support.reference_clip import clip_b32, siglip_b16

    return clip_b32(REAL / "clip_bpe") if request.param == "clip" else siglip_b16()


@pytest.fixture(scope="module")
def repository(reference, tmp_path_factory):
    tmp = tmp_path_factory.mktemp("parity")
    copy = CHECKOUT.copy_to(tmp / "repository")
    use_folder(reference.export(tmp / "model"), copy)
    return copy


def served(repository, tmp_path, *, profile, decode):
    config = repository.model("clip_preprocess") / "config.pbtxt"
    config.write_text(set_parameter(config.read_text(), "decode", decode))
    return Engine(options(repository, tmp_path, profile=profile))


def ask(engine, model, name, values):
    tensor = triton_grpc.InferInput(name, [1, 1], "BYTES")
    rows = []
    with triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://")) as client:
        for value in values:
            tensor.set_data_from_numpy(np.array([[value]], dtype=object))
            rows.append(client.infer(model, [tensor]).as_numpy("embedding")[0])
    return np.stack(rows)


@pytest.mark.parametrize(
    ("profile", "decode", "least"), [("cpu", "exact", 0.9999), ("openvino", "scaled", 0.999)], ids=["exact", "defaults"]
)
def test_served_embeddings_agree_with_transformers(reference, repository, tmp_path, profile, decode, least):
    files = photos("*.jpg")
    assert len(files) >= 10
    with served(repository, tmp_path, profile=profile, decode=decode) as engine:
        images = ask(engine, "search_image", "image", [file.read_bytes() for file in files])
        texts = ask(engine, "search_text", "text", [text.encode() for text in TEXTS])
    for ours, theirs, names in (
        (images, reference.embed_images(files), [file.name for file in files]),
        (texts, reference.embed_texts(TEXTS), TEXTS),
    ):
        agreement = (ours * theirs).sum(1)
        assert agreement.min() >= least, dict(zip(names, agreement.round(6), strict=True))
        # The agreement says something only because different inputs differ by more.
        apart = theirs @ theirs.T
        np.fill_diagonal(apart, -1)
        assert np.median(apart.max(1)) < 0.995
