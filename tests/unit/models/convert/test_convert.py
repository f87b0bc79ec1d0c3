"""Conversions put in place whole and checked, or not at all; the compiler here keeps the core as ONNX and runs it with onnxruntime."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.support import face_exports
from tests.support.serving import CHECKOUT
from triptych_server.errors import ConfigError, ConversionError
from triptych_server.models.convert.agreement import HALF_PRECISION, Limits, check_agreement
from triptych_server.models.convert.convert import Compiled, convert, networks_for
from triptych_server.models.convert.record import Conversion, graph_hash
from triptych_server.models.convert.targets import converter_for
from triptych_server.models.import_faces import import_detector, import_embedder
from triptych_server.models.sessions import open_session

pytest.importorskip("torch", reason="PyTorch, which makes the exports, is not installed")


@dataclass
class Kept:
    """`spoil` is added to every output; `during` is called while it compiles."""

    target: str = "rk3588"
    precision: str = "f32"
    limits: Limits = HALF_PRECISION
    stays: dict = field(default_factory=lambda: {"clip_textual": "it is better off there"})
    spoil: float = 0.0
    during: object = lambda: None

    def compile(self, parts, folder, rows):
        self.during()
        onnx.save_model(parts.core, str(folder / "model.rknn"))
        session = open_session(folder / "model.rknn")
        runs = [session.run(None, {"image": parts.head.scale(rows[at : at + 1])}) for at in range(len(rows))]
        outputs = [
            np.concatenate(found) * (1 + self.spoil * (np.arange(found[0].size).reshape(found[0].shape) % 2))
            for found in zip(*runs, strict=True)
        ]
        return Compiled("onnxruntime", "1", outputs, parts.head.mean, parts.head.std)


@pytest.fixture
def repository(face_export, tmp_path):
    made = CHECKOUT.copy_to(tmp_path / "repository")
    import_embedder(face_export("arcface").path, made.model("face_recognition") / "1" / "model.onnx")
    return made


def folder(repository, network="face_recognition"):
    return repository.model(network) / "1" / "rk3588"


def contents(place: Path):
    return {file.name: file.read_bytes() for file in place.iterdir()} if place.exists() else None


def silent(_):
    pass


def test_is_put_in_place_with_all_that_the_backend_needs(repository):
    said = []
    report = convert(repository, "face_recognition", Kept(), said.append)
    assert report.agreement.cosine >= 0.99999
    assert said == ["face_recognition: compiling for rk3588"]
    graph = repository.model("face_recognition") / "1" / "model.onnx"
    found = Conversion.current(folder(repository), graph, "model.rknn")
    assert (found.source_sha256, found.toolkit, found.precision) == (graph_hash(graph), "onnxruntime", "f32")
    assert (found.input.name, found.input.dtype, found.input.shape) == ("image", "uint8", (1, 112, 112, 3))
    assert [(output.name, output.shape) for output in found.outputs] == [("pooled", (1, face_exports.DIM))]
    assert found.mean == pytest.approx([127.5] * 3)
    assert found.std == pytest.approx([127.5] * 3)
    assert sorted(contents(folder(repository))) == ["conversion.json", "model.rknn", "tail.onnx"]
    assert [file.name for file in graph.parent.iterdir() if file.name.startswith(".rk")] == []
    assert not folder(repository).stat().st_mode & 0o022
    assert folder(repository).stat().st_mode & 0o055 == 0o055  # the server may be another user


def test_a_detector_is_compared_in_pixels(repository, face_export):
    import_detector(face_export("scrfd").path, repository.model("face_detection") / "1" / "model.onnx")
    assert networks_for(repository, Kept(), []) == ["face_detection", "face_recognition"]
    assert str(convert(repository, "face_detection", Kept(), silent).agreement) == "0.00 pixels and 0.0000 of score apart"
    with pytest.raises(ConversionError, match=r"does not agree with the served graph: .* pixels and .* expected at most 4 and 0\.02"):
        convert(repository, "face_detection", Kept(spoil=0.5), silent)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(1.0, r"does not agree with the served graph: cosine 0\.9\d+, expected at least 0\.999"), (np.inf, "too large for half")],
)
def test_what_does_not_agree_replaces_nothing(repository, spoil, words):
    for before in (None, "a good one"):
        if before:
            convert(repository, "face_recognition", Kept(), silent)
        was = contents(folder(repository))
        with pytest.raises(ConversionError, match=words), np.errstate(invalid="ignore"):
            convert(repository, "face_recognition", Kept(spoil=spoil), silent)
        assert contents(folder(repository)) == was


def test_a_graph_that_changes_meanwhile_is_not_given_the_old_conversion(repository):
    graph = repository.model("face_recognition") / "1" / "model.onnx"

    def change():
        model = onnx.load(str(graph))
        model.doc_string = "newer"
        onnx.save_model(model, str(graph))

    with pytest.raises(ConversionError, match="face_recognition was changed while it was converted; convert it again"):
        convert(repository, "face_recognition", Kept(during=change), silent)
    assert contents(folder(repository)) is None


def test_a_full_disk_is_said(repository):
    def fill():
        raise OSError(28, "No space left on device")

    with pytest.raises(ConversionError, match="face_recognition could not be converted in .*: No space left on device"):
        convert(repository, "face_recognition", Kept(during=fill), silent)
    assert contents(folder(repository)) is None


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_the_older_one_comes_back_when_the_new_one_cannot_be_put_in_place(repository, monkeypatch, error):
    convert(repository, "face_recognition", Kept(), silent)
    was, rename = contents(folder(repository)), Path.rename

    def fail(self, target):
        if self.name == "rk3588" and self.parent.name.startswith(".rk3588"):
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises((ConversionError, KeyboardInterrupt)):
        convert(repository, "face_recognition", Kept(), silent)
    assert contents(folder(repository)) == was


def test_an_interrupted_conversion_leaves_nothing(repository):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(repository, "face_recognition", Kept(during=interrupt), silent)
    assert sorted(file.name for file in (repository.model("face_recognition") / "1").iterdir()) == [".gitkeep", "model.onnx"]


def test_networks_are_those_in_place_that_the_target_runs(repository):
    assert networks_for(repository, Kept(), []) == ["face_recognition"]
    assert networks_for(repository, Kept(), ["face_recognition", "face_recognition"]) == ["face_recognition"]
    with pytest.raises(ConversionError, match="clip_textual is not converted for rk3588: it is better off there"):
        networks_for(repository, Kept(), ["clip_textual"])
    with pytest.raises(ConversionError, match=r"clip_visual has no model\.onnx; `triptych models use"):
        networks_for(repository, Kept(), ["clip_visual"])
    with pytest.raises(ConfigError, match="no model 'face'; there are: "):
        networks_for(repository, Kept(), ["face"])


def test_nothing_in_place_is_said(tmp_path):
    with pytest.raises(ConversionError, match="has no network to convert"):
        networks_for(CHECKOUT.copy_to(tmp_path / "repository"), Kept(), [])


def test_an_unknown_target_is_told_the_known_ones(tmp_path):
    with pytest.raises(ConversionError, match="unknown target 'rk9999'; there are: rk3566, rk3568, rk3576, rk3588, armnn"):
        converter_for("rk9999", silent, cache=tmp_path)


def test_conversions_are_copied_as_weights_are(repository, tmp_path):
    convert(repository, "face_recognition", Kept(), silent)
    assert contents(folder(repository.copy_to(tmp_path / "without"))) is None
    assert contents(folder(repository.copy_to(tmp_path / "with", weights=True))) == contents(folder(repository))
    assert (tmp_path / "without" / "backends" / "rknn" / "model.py").is_file()


def test_an_output_of_another_shape_is_told():
    with pytest.raises(ConversionError, match=r"gives embedding \[1, 4\]; expected \[1, 5\]"):
        check_agreement({"embedding": np.ones((1, 5))}, {"embedding": np.ones((1, 4))}, HALF_PRECISION)
