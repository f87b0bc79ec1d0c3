"""The committed weights: they find held-out pictures, have the shapes of an OpenCLIP export, and are small."""

import json

import numpy as np
import onnx
import pytest
from tokenizers import Tokenizer

from demo.evaluate import evaluate, held_out
from demo.scenes import EVALUATION_SEEDS
from demo.scenes.facts import encode_facts, encode_scenes, fits
from demo.weights import WEIGHTS, DemoClip


@pytest.fixture(scope="module")
def clip():
    return DemoClip()


def test_held_out_captions_are_true_of_their_own_picture_only():
    items = held_out()
    assert len(items) == 200
    assert len({item.caption.text for item in items}) == 200
    table = fits(encode_facts([i.caption.facts for i in items]), encode_scenes([i.scene for i in items]))
    np.testing.assert_array_equal(table, np.eye(200, dtype=bool))
    assert all(item.scene.seed in EVALUATION_SEEDS for item in items)


def test_captions_find_held_out_pictures(clip):
    report = evaluate(clip, held_out(), supersampling=2, attributes=("colour", "count", "relation"))
    assert report.count == 200
    assert report.recall_at_1 >= 0.90
    assert report.recall_at_5 >= 0.99
    shares = {attribute: share for attribute, (share, _) in report.attributes.items()}
    # Chance is about 0.1, 0.3 and 0.3.
    assert shares["colour"] > 0.85
    assert shares["count"] > 0.65
    assert shares["relation"] > 0.5


@pytest.mark.parametrize(
    ("tower", "name", "kind", "shape"),
    [("visual", "image", onnx.TensorProto.FLOAT, [1, 3, 224, 224]), ("textual", "text", onnx.TensorProto.INT32, [1, 77])],
)
def test_graphs_have_the_contract_of_an_openclip_export(tower, name, kind, shape):
    graph = onnx.load(WEIGHTS / tower / "model.onnx").graph
    (source,), (result,) = graph.input, graph.output
    assert (source.name, source.type.tensor_type.elem_type) == (name, kind)
    assert [d.dim_value for d in source.type.tensor_type.shape.dim] == shape
    assert (result.name, [d.dim_value for d in result.type.tensor_type.shape.dim]) == ("embedding", [1, 512])


def test_the_folder_is_a_hub_folder_and_small():
    config = json.loads((WEIGHTS / "config.json").read_text())
    tokenizer = Tokenizer.from_file(str(WEIGHTS / "textual" / "tokenizer.json"))
    pad = json.loads((WEIGHTS / "textual" / "tokenizer_config.json").read_text())["pad_token"]
    assert (config["embed_dim"], config["vision_cfg"]["image_size"], config["text_cfg"]["context_length"]) == (512, 224, 77)
    assert tokenizer.token_to_id(pad) is not None
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()) < 6e6


def test_any_text_has_an_embedding_of_unit_length(clip):
    for text in ("", "   ", "Two RED balloons", "ein rotes Auto", "赤い車", "🎈", "cat " * 500):
        assert np.linalg.norm(clip.embed_text(text)) == pytest.approx(1, abs=1e-4)


def test_case_and_spaces_do_not_matter(clip):
    np.testing.assert_allclose(clip.embed_text("Two  Red BALLOONS "), clip.embed_text("two red balloons"), atol=1e-6)
