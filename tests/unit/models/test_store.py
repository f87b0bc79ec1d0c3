"""Weights in sidecars go in and come out, and a model is replaced whole or not at all."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from tests.support.graphs import patches, write_graph
from triptych_server.errors import ModelImportError
from triptych_server.models import store
from triptych_server.models.import_clip import import_visual
from triptych_server.models.preprocess import Preprocess

PREPROCESS = Preprocess(size=32)
PICTURES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


def write_source(path: Path, seed: int, *, sidecar: bool = False) -> Path:
    nodes, weights = patches(seed)
    source = write_graph(path, [*nodes, helper.make_node("Flatten", ["pooled"], ["embedding"])], weights=weights)
    if sidecar:
        onnx.save_model(onnx.load(str(source)), str(source), save_as_external_data=True, location=f"{path.stem}.weights", size_threshold=16)
    return source


def embed(target: Path) -> np.ndarray:
    result: np.ndarray = onnxruntime.InferenceSession(str(target)).run(None, {"image": PICTURES})[0]
    return result


def test_large_weights_go_to_a_sidecar_that_moves_with_the_graph(tmp_path: Path) -> None:
    source = write_source(tmp_path / "a.onnx", 1, sidecar=True)
    whole, split = tmp_path / "whole" / "model.onnx", tmp_path / "split" / "model.onnx"
    import_visual(source, whole, preprocess=PREPROCESS)
    import_visual(source, split, preprocess=PREPROCESS, external_above=1024)
    assert [file.name for file in whole.parent.iterdir()] == ["model.onnx"]
    [sidecar] = [file for file in split.parent.iterdir() if file != split]
    assert sidecar.stat().st_size >= 8 * 3 * 8 * 8 * 4
    assert sidecar.stat().st_mode == split.stat().st_mode, "a server of another user must be able to read both"
    assert np.array_equal(embed(whole), embed(split))
    moved = split.parent.rename(tmp_path / "elsewhere")
    assert np.array_equal(embed(whole), embed(moved / "model.onnx"))


def test_new_weights_replace_the_old_sidecar(tmp_path: Path) -> None:
    target = tmp_path / "served" / "model.onnx"
    import_visual(write_source(tmp_path / "a.onnx", 1), target, preprocess=PREPROCESS, external_above=1024)
    first, old = embed(target), {file.name for file in target.parent.iterdir()}
    import_visual(write_source(tmp_path / "b.onnx", 2), target, preprocess=PREPROCESS, external_above=1024)
    new = {file.name for file in target.parent.iterdir()}
    assert abs(embed(target) - first).max() > 1e-3
    assert len(new) == len(old) == 2
    assert new & old == {"model.onnx"}


def test_fingerprint_covers_the_sidecar(tmp_path: Path) -> None:
    source = write_source(tmp_path / "a.onnx", 1, sidecar=True)
    before = store.fingerprint(store.read(source), source)
    content = bytearray((tmp_path / "a.weights").read_bytes())
    content[-1] ^= 1
    (tmp_path / "a.weights").write_bytes(content)
    assert store.fingerprint(store.read(source), source) != before


@pytest.mark.parametrize("place", ["../secret", "/dev/zero", "a/../../secret", "link", "folder/secret"])
def test_weights_from_outside_of_the_models_folder_are_not_even_read(tmp_path: Path, place: str) -> None:
    """/dev/zero has no end."""
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(1 << 16))
    (folder / "link").symlink_to("../secret")
    (folder / "folder").symlink_to("..")
    source = write_source(folder / "a.onnx", 1, sidecar=True)
    model = onnx.load(str(source), load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = place if entry.key == "location" else entry.value
    source.write_bytes(model.SerializeToString())
    with pytest.raises(ModelImportError, match="from outside of its folder"):
        store.fingerprint(store.read(source), source)
    with pytest.raises(ModelImportError):
        store.load_weights(store.read(source), source)


def test_failed_block_leaves_the_target_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    target.write_bytes(b"old")
    model = onnx.load(str(write_source(tmp_path / "a.onnx", 1)))
    with pytest.raises(ModelImportError), store.staged(model, target, external_above=16) as path:
        assert path.is_file()
        raise ModelImportError("it does not agree")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.onnx", "model.onnx"]
    assert target.read_bytes() == b"old"
