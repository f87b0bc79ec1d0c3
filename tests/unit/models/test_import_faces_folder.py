"""A face pack becomes the served one: both graphs and every config change together, or nothing does."""

import shutil

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tests.support.graphs import write_graph
from tests.support.real import REAL, needs_real
from tests.support.serving import CHECKOUT, add_model
from triptych_server.configs.profiles import stale_profiles
from triptych_server.configs.read import read_config
from triptych_server.errors import ModelImportError
from triptych_server.models.face_folder import FaceFolder
from triptych_server.models.use_faces import use_faces

OUTPUTS = """
output [
  { name: "boxes" data_type: TYPE_FP32 dims: [ -1, 4 ] },
  { name: "embeddings" data_type: TYPE_FP32 dims: [ -1, 512 ] }  # one for each face
]
"""


@pytest.fixture
def folder(face_export, tmp_path):
    """A model as a hub gives it: one anchor to a cell, 24 numbers."""
    target = tmp_path / "buffalo_tiny"
    for part, name in (("detection", "scrfd-one-anchor"), ("recognition", "arcface")):
        (target / part).mkdir(parents=True)
        shutil.copy(face_export(name).path, target / part / "model.onnx")
    return target


@pytest.fixture
def pack(face_export, tmp_path):
    """The same as InsightFace packs it, with an age network and dense landmarks beside it."""
    target = tmp_path / "pack"
    target.mkdir()
    shutil.copy(face_export("scrfd-one-anchor").path, target / "det_tiny.onnx")
    shutil.copy(face_export("arcface").path, target / "w600k_tiny.onnx")
    for name, side, numbers in (("genderage", 96, 3), ("2d106det", 192, 212)):
        nodes = [helper.make_node("Flatten", ["data"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["fc1"])]
        weights = {"w": np.zeros((3 * side * side, numbers), np.float32)}
        inputs = [("data", TensorProto.FLOAT, ("None", 3, side, side))]
        write_graph(target / f"{name}.onnx", nodes, weights=weights, inputs=inputs, output=("fc1", (1, numbers)))
    return target


@pytest.fixture
def repository(tmp_path):
    """The checkout's networks, and every model of the pipeline that says how long an embedding is."""
    copy = CHECKOUT.copy_to(tmp_path / "repository")
    for name, where in (("face_embed", "python_models"), ("faces", "ensembles"), ("photo", "ensembles")):
        shutil.rmtree(copy.root / where / name, ignore_errors=True)
        add_model(copy, name, OUTPUTS, where=where)
    return copy


def test_the_checkout_says_how_long_an_embedding_is_where_an_import_sets_it():
    """The models that `use_faces` edits, as they are in git, have the tensors that it looks for."""
    said = {folder.name: outputs(CHECKOUT, folder.name) for folder in CHECKOUT.models() if folder.name in ("face_embed", "faces", "photo")}
    assert all(found["embeddings"] == [-1, 512] for found in said.values())


def snapshot(repository):
    return {file: file.read_bytes() for root in repository.roots for file in root.rglob("*") if file.is_file()}


def outputs(repository, model):
    return {tensor.name: list(tensor.dims) for tensor in read_config(repository.model(model) / "config.pbtxt").output}


def test_graphs_and_configs_of_every_profile_follow(folder, repository, face_export):
    from tests.support.face_exports import pictures

    used = use_faces(folder, repository)
    assert (used.detector.anchors, used.embedder.dim) == (8400, 24)
    assert repository.missing_weights("face_detection", "face_recognition") == []
    assert outputs(repository, "face_detection") == {"boxes": [8400, 4], "scores": [8400], "landmarks": [8400, 5, 2]}
    assert outputs(repository, "face_recognition") == {"embedding": [24]}
    for model in ("face_embed", "faces", "photo"):
        found = outputs(repository, model)
        assert (found["boxes"], found["embeddings"]) == ([-1, 4], [-1, 24])
    assert stale_profiles(repository) == []
    served = onnxruntime.InferenceSession(repository.model("face_recognition") / "1" / "model.onnx")
    rows = served.run(["embedding"], {"image": pictures(3, 112)})[0]
    assert ((rows * face_export("arcface").reference(pictures(3, 112))).sum(1) >= 0.99999).all()


def test_the_served_configs_fit_a_model_of_the_usual_size(repository):
    """Until an import changes them: SCRFD's two anchors and ArcFace's 512 numbers, from uint8 pictures."""
    assert outputs(repository, "face_detection") == {"boxes": [16800, 4], "scores": [16800], "landmarks": [16800, 5, 2]}
    assert outputs(repository, "face_recognition") == {"embedding": [512]}
    inputs = [read_config(repository.model(name) / "config.pbtxt").input[0] for name in ("face_detection", "face_recognition")]
    assert [(one.name, one.data_type, list(one.dims)) for one in inputs] == [("image", 2, [640, 640, 3]), ("image", 2, [112, 112, 3])]


def test_a_pack_of_insightface_is_told_apart_by_its_graphs(pack, folder, repository):
    found = FaceFolder.read(pack)
    assert (found.detection.name, found.recognition.name) == ("det_tiny.onnx", "w600k_tiny.onnx")
    use_faces(pack, repository)
    before = snapshot(repository)
    assert use_faces(folder, repository).files == ()
    assert snapshot(repository) == before


def test_search_stays_as_it_was(folder, repository):
    before = {name: snapshot_of(repository, name) for name in ("clip_visual", "clip_tokenize", "search_image")}
    use_faces(folder, repository)
    assert {name: snapshot_of(repository, name) for name in before} == before


def snapshot_of(repository, model):
    return {file: file.read_bytes() for file in repository.model(model).rglob("*") if file.is_file()}


def test_a_repository_without_the_pipeline_is_served_too(folder, repository):
    shutil.rmtree(repository.model("photo"))
    use_faces(folder, repository)
    assert outputs(repository, "faces")["embeddings"] == [-1, 24]


@pytest.mark.parametrize("part", ["detection", "recognition"])
def test_a_part_that_cannot_be_imported_leaves_everything_as_it_was(folder, repository, part):
    (folder / part / "model.onnx").write_bytes(b"no graph")
    before = snapshot(repository)
    with pytest.raises(ModelImportError):
        use_faces(folder, repository)
    assert snapshot(repository) == before


@pytest.mark.parametrize("part", ["detection", "recognition"])
def test_a_missing_part_is_named(folder, part):
    (folder / part / "model.onnx").unlink()
    with pytest.raises(ModelImportError, match=f"has no {part}/model.onnx"):
        FaceFolder.read(folder)


def test_a_folder_of_something_else_is_told_what_was_expected(pack, tmp_path):
    with pytest.raises(ModelImportError, match=r"is no face model folder: expected detection/model.onnx and recognition/model.onnx"):
        FaceFolder.read(tmp_path / "nowhere")
    shutil.copy(pack / "w600k_tiny.onnx", pack / "w600k_other.onnx")
    with pytest.raises(ModelImportError, match=r"several face embedders: w600k_other.onnx, w600k_tiny.onnx; put the one to serve at"):
        FaceFolder.read(pack)
    (pack / "det_tiny.onnx").unlink()
    with pytest.raises(ModelImportError, match=r"no face detector that can be imported among 2d106det.onnx, genderage.onnx, w600k"):
        FaceFolder.read(pack)


@needs_real
def test_real_models_are_used(repository, tmp_path):
    for part, name in (("detection", "yunet_n_scrfd_io"), ("recognition", "mobilefacenet_arcface_128")):
        (tmp_path / "real" / part).mkdir(parents=True)
        shutil.copy(REAL / "models" / f"{name}.onnx", tmp_path / "real" / part / "model.onnx")
    used = use_faces(tmp_path / "real", repository)
    assert used.embedder.dim == 128
    assert outputs(repository, "face_detection")["boxes"] == [used.detector.anchors, 4]
