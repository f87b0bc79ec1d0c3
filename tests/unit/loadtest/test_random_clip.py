"""The random CLIP has the structure and the form of a real export: the project's own import takes it, and batches agree with singles."""

import json
from collections import Counter

import numpy as np
import onnxruntime
import pytest

from loadtest import random_clip as module
from loadtest.random_clip import byte_tokenizer, random_clip, tiny_shape
from loadtest.vit import ClipShape, textual_tower, visual_tower
from triptych_server.models.clip_folder import ClipFolder
from triptych_server.models.import_clip import import_textual, import_visual


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return random_clip(tmp_path_factory.mktemp("cache"), tiny_shape(), seed=7)


def run(path, feeds):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(["embedding"], feeds)[0]


def test_a_layer_has_the_operators_of_an_openclip_export():
    kinds = Counter(node.op_type for node in visual_tower(tiny_shape(), seed=0).graph.node)
    layers = tiny_shape().vision_layers
    assert (kinds["Conv"], kinds["Softmax"], kinds["LayerNormalization"]) == (1, layers, 2 * layers + 2)
    assert kinds["MatMul"] == 6 * layers + 1  # qkv, scores, mix, out, two of the MLP; and the projection


def test_the_default_shape_is_vit_b_32():
    """87.8 M parameters of the image tower and 63.4 M of the text tower, as OpenCLIP counts ViT-B-32."""
    shape = ClipShape()

    def layers(width, count):
        return count * (12 * width**2 + 13 * width)

    tokens = 1 + (shape.image_size // shape.patch) ** 2
    width = shape.vision_width
    visual = 3 * shape.patch**2 * width + (tokens + 1) * width + 4 * width + layers(width, shape.vision_layers) + width * shape.embed_dim
    assert visual == 87_849_216
    width = shape.text_width
    textual = (shape.vocabulary + shape.context_length + 2) * width + layers(width, shape.text_layers) + width * shape.embed_dim
    assert textual == 63_428_096


def test_weights_are_seeded():
    one, same, other = (visual_tower(tiny_shape(), seed).SerializeToString() for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize("wrong", [{"image_size": 225}, {"vision_width": 100}, {"text_width": 100}])
def test_sizes_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ValueError, match="is no multiple of"):
        ClipShape(**wrong)


def test_the_image_tower_can_be_imported_and_batched(folder, tmp_path):
    source = ClipFolder.read(folder)
    assert json.loads((folder / "config.json").read_text())["embed_dim"] == 512
    report = import_visual(source.visual, tmp_path / "model.onnx", preprocess=source.preprocess)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    together = run(tmp_path / "model.onnx", {"image": pictures})
    alone = np.concatenate([run(tmp_path / "model.onnx", {"image": picture[None]}) for picture in pictures])
    assert report.cosine > 0.99999
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(together[0] - together[1]).max() > 1e-3  # it looks at the picture


def test_the_text_tower_can_be_imported_and_looks_no_further_than_the_end_token(folder, tmp_path):
    source = ClipFolder.read(folder)
    import_textual(source.textual, tmp_path / "model.onnx", pad_id=source.pad_id, context_length=source.context_length)
    end = tiny_shape().vocabulary - 1
    rows = np.zeros((3, 77), np.int32)
    rows[0, :4] = rows[1, :4] = [end - 1, 5, 6, end]
    rows[1, 4:] = 9  # after the end
    rows[2, :4] = [end - 1, 6, 5, end]
    first, same, other = run(tmp_path / "model.onnx", {"tokens": rows})
    assert np.abs(first - same).max() < 1e-6
    assert np.abs(first - other).max() > 1e-3


def test_the_tokenizer_wraps_bytes_in_the_two_highest_ids():
    tokenizer = byte_tokenizer(512)
    ids = tokenizer.encode("aé").ids
    assert (ids[0], ids[-1], len(ids)) == (510, 511, 5)  # é is two bytes
    assert tokenizer.get_vocab_size() == 512


def test_a_second_run_reuses_the_folder_and_other_sizes_get_their_own(tmp_path, monkeypatch):
    first = random_clip(tmp_path, tiny_shape(), seed=1)
    monkeypatch.setattr(module, "_write", lambda *_: pytest.fail("drawn again"))
    assert random_clip(tmp_path, tiny_shape(), seed=1) == first
    monkeypatch.undo()
    assert random_clip(tmp_path, tiny_shape(), seed=2) != first


def test_an_interrupted_run_leaves_nothing_that_is_taken_for_a_model(tmp_path, monkeypatch):
    def interrupted(folder, *_):
        (folder / "config.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        random_clip(tmp_path, tiny_shape(), seed=1)
    monkeypatch.undo()
    assert (random_clip(tmp_path, tiny_shape(), seed=1) / "visual" / "model.onnx").is_file()


def test_both_towers_end_in_the_same_space():
    dims = [tower(tiny_shape(), 0).graph.output[0].type.tensor_type.shape.dim[1].dim_value for tower in (visual_tower, textual_tower)]
    assert dims == [512, 512]
