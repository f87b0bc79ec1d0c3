"""Making a model folder the served one: graphs, tokenizer and every config change together, or nothing does."""

import json
import shutil

import onnxruntime
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from tests.support.serving import CHECKOUT
from triptych_server.configs.profiles import stale_profiles
from triptych_server.configs.read import parameters_of, read_config
from triptych_server.errors import ModelImportError
from triptych_server.models.any_folder import use_any
from triptych_server.models.clip_folder import ClipFolder
from triptych_server.models.served_names import ServedName
from triptych_server.models.swap import replaced_files
from triptych_server.models.use import use_folder


@pytest.fixture
def folder(export, tmp_path):
    """A model as a hub gives it: 32 pixels, 16 tokens, 24 numbers, squash, padded with token 1."""
    target = tmp_path / "nllb-tiny"
    for tower, name in (("visual", "openclip-vit"), ("textual", "m-clip")):
        (target / tower).mkdir(parents=True)
        shutil.copy(export(name).path, target / tower / "model.onnx")
    words = "dogs a quiet forest photo of two red boats at night stars and trees over the sea".split()
    vocabulary = {"[UNK]": 0, "<pad>": 1, **{word: index for index, word in enumerate(words, 2)}, "<end>": 63}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <end>", special_tokens=[("<end>", 63)])
    tokenizer.save(str(target / "textual" / "tokenizer.json"))
    (target / "textual" / "tokenizer_config.json").write_text(json.dumps({"pad_token": {"content": "<pad>"}}))
    text = {"context_length": 16, "tokenizer_kwargs": {"clean": "canonicalize"}}
    (target / "config.json").write_text(json.dumps({"vision_cfg": {"image_size": 32}, "text_cfg": text}))
    preprocess = {
        "size": [32, 32],
        "mean": [0.48, 0.46, 0.41],
        "std": [0.27, 0.26, 0.28],
        "interpolation": "bilinear",
        "resize_mode": "squash",
    }
    (target / "visual" / "preprocess_cfg.json").write_text(json.dumps(preprocess))
    return target


@pytest.fixture
def repository(tmp_path):
    return CHECKOUT.copy_to(tmp_path / "repository")


def snapshot(repository):
    return {file: file.read_bytes() for root in repository.roots for file in root.rglob("*") if file.is_file()}


def test_graphs_tokenizer_and_configs_of_every_profile_follow(folder, repository, export):
    tuned = repository.model("clip_visual") / "configs" / "mine.pbtxt"
    tuned.write_text((tuned.parent / "openvino.pbtxt").read_text())
    used = use_folder(folder, repository)
    assert (used.visual.dim, used.visual.size, used.textual.size) == (24, 32, 16)
    assert repository.missing_weights("clip_visual", "clip_textual", "clip_tokenize") == []
    shapes = {
        folder.name: [list(tensor.dims) for tensor in (*config.input, *config.output)]
        for folder in repository.models()
        for config in [read_config(folder / "config.pbtxt")]
    }
    assert shapes["clip_visual"] == [[32, 32, 3], [24]]
    assert shapes["clip_textual"] == [[16], [24]]
    assert shapes["clip_preprocess"] == [[1], [32, 32, 3], [2]]
    assert shapes["clip_tokenize"] == [[1], [1], [16]]
    assert shapes["search_image"] == [[1], [24], [2]]
    assert shapes["search_text"] == [[1], [1], [24]]
    assert stale_profiles(repository) == []
    assert [list(tensor.dims) for tensor in (*read_config(tuned).input, *read_config(tuned).output)] == [[32, 32, 3], [24]]
    preprocess = parameters_of(read_config(repository.model("clip_preprocess") / "config.pbtxt"))
    assert preprocess.items() >= {"size": "32", "resize_mode": "squash", "interpolation": "bilinear", "decode": "scaled"}.items()
    tokenize = parameters_of(read_config(repository.model("clip_tokenize") / "config.pbtxt"))
    assert tokenize.items() >= {"context_length": "16", "pad_id": "1", "clean": "canonicalize", "language_prefix": "flores"}.items()

    from tests.support.exports import pictures

    served = onnxruntime.InferenceSession(repository.model("clip_visual") / "1" / "model.onnx")
    rows = served.run(["embedding"], {"image": pictures(3)})[0]
    assert ((rows * export("openclip-vit").reference(pictures(3))).sum(1) >= 0.99999).all()


def test_the_weights_file_of_the_model_before_is_removed(folder, repository):
    old = repository.networks / "clip_visual" / "1" / "model.onnx.0123456789ab.data"
    old.write_bytes(b"weights")
    use_folder(folder, repository)
    assert not old.exists()


def test_using_the_same_model_again_changes_nothing(folder, repository):
    use_folder(folder, repository)
    before = snapshot(repository)
    assert use_folder(folder, repository).files == ()
    assert snapshot(repository) == before


@pytest.mark.parametrize("part", ["visual/model.onnx", "textual/model.onnx", "textual/tokenizer.json"])
def test_a_missing_part_is_named_and_nothing_changes(folder, repository, part):
    (folder / part).unlink()
    before = snapshot(repository)
    with pytest.raises(ModelImportError, match=f"{part} missing; expected config.json"):
        use_folder(folder, repository)
    assert snapshot(repository) == before


def test_a_tower_that_cannot_be_imported_leaves_everything_as_it_was(folder, repository):
    (folder / "textual" / "model.onnx").write_bytes(b"no graph")
    before = snapshot(repository)
    with pytest.raises(ModelImportError):
        use_folder(folder, repository)
    assert snapshot(repository) == before


def test_an_unknown_pad_token_is_refused(folder):
    (folder / "textual" / "tokenizer_config.json").write_text('{"pad_token": "<nothing>"}')
    with pytest.raises(ModelImportError, match="pad token '<nothing>', which tokenizer.json does not know"):
        ClipFolder.read(folder)


def test_files_are_replaced_all_or_none(tmp_path):
    for name, text in {"a": "old a", "new_a": "new a", "new_c": "new c"}.items():
        (tmp_path / name).write_text(text)
    changes = {tmp_path / "a": tmp_path / "new_a", tmp_path / "sub" / "c": tmp_path / "new_c", tmp_path / "b": tmp_path / "absent"}
    with pytest.raises(FileNotFoundError), replaced_files(changes, tmp_path):
        pytest.fail("the block must not run")
    assert {file.name: file.read_text() for file in tmp_path.rglob("*") if file.is_file()} == {"a": "old a"}


def test_a_move_that_fails_leaves_no_second_name_of_the_old_file(tmp_path):
    (tmp_path / "a").write_text("old a")
    with pytest.raises(FileNotFoundError), replaced_files({tmp_path / "a": tmp_path / "absent"}, tmp_path):
        pytest.fail("the block must not run")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"a": "old a"}


def test_files_are_put_back_when_what_follows_fails(tmp_path):
    for name, text in {"a": "old a", "new_a": "new a", "new_b": "new b"}.items():
        (tmp_path / name).write_text(text)
    changes = {tmp_path / "a": tmp_path / "new_a", tmp_path / "b": tmp_path / "new_b"}
    with pytest.raises(RuntimeError), replaced_files(changes, tmp_path):
        assert (tmp_path / "a").read_text() == "new a"
        raise RuntimeError
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"a": "old a"}


def test_embeddings_of_two_models_are_not_put_together(folder, repository, export, monkeypatch):
    from triptych_server.models import use
    from triptych_server.models.import_clip import import_textual

    def other(*args, **options):
        import dataclasses

        return dataclasses.replace(import_textual(*args, **options), dim=25)

    monkeypatch.setattr(use, "import_textual", other)
    with pytest.raises(ModelImportError, match="the image tower gives 24 numbers, the text tower 25"):
        use_folder(folder, repository)


def test_the_kind_of_a_folder_is_told_by_what_lies_in_it(folder, repository, tmp_path):
    assert repository.model("clip_visual") / "1" / "model.onnx" in use_any(folder, repository).files
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelImportError, match="face"):
        use_any(tmp_path / "empty", repository)
    with pytest.raises(ModelImportError, match="is no folder; expected one as a hub gives it"):
        use_any(tmp_path / "nowhere", repository)


def test_the_ensembles_name_what_answers(folder, repository):
    """For those who see nothing of the repository but a running server."""
    named = ("search_image", "search_text", "photo")

    def names():
        return {parameters_of(read_config(repository.model(ensemble) / "config.pbtxt"))["clip_model"] for ensemble in named}

    assert names() == {""}
    file = repository.model("photo") / "config.pbtxt"
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if "clip_model" not in line))  # as older ones are
    use_folder(folder, repository, name=ServedName("immich-app/ViT-B-32__openai", "main", "0" * 40))
    assert names() == {"immich-app/ViT-B-32__openai"}
    assert parameters_of(read_config(file))["face_model"] == ""
    use_folder(folder, repository)
    assert names() == {""}
