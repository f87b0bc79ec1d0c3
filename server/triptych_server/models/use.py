"""Make a CLIP model folder the served model: import both graphs, rewrite the configs, put everything in place as one change."""

import filecmp
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from triptych_server.configs.edit import edit_config
from triptych_server.configs.profiles import render_profiles
from triptych_server.errors import ModelImportError
from triptych_server.models.clip_folder import ClipFolder
from triptych_server.models.import_clip import ImportReport, import_textual, import_visual
from triptych_server.models.swap import replace_files
from triptych_server.repository import Repository

SAMPLE_TEXTS = ("dogs", "a quiet forest", "a photo of two red boats at night", "Zwei Boote; 船 🚤", "stars and trees over the sea " * 40)
"""What an imported text tower is compared with its original on: short, of several scripts, and longer than any context."""

Dims = Mapping[str, Mapping[str, Sequence[int]]]


@dataclass(frozen=True, slots=True)
class Used:
    """What was put in place: the reports of both imports and the files of the repository that changed."""

    visual: ImportReport
    textual: ImportReport
    files: tuple[Path, ...]


def use_folder(folder: Path, repository: Repository) -> Used:
    """Import the CLIP model in `folder` and serve it from `repository` from the next load on.

    ModelImportError, with the repository as it was, when a graph cannot be imported or does not agree with its original.
    """
    source = ClipFolder.read(folder)
    staging = Path(tempfile.mkdtemp(prefix=".import-", dir=repository.root))
    try:
        staged = Repository(repository.root).copy_to(staging / "repository")
        visual = import_visual(source.visual, staged.networks / "clip_visual" / "1" / "model.onnx", preprocess=source.preprocess)
        textual = import_textual(
            source.textual,
            staged.networks / "clip_textual" / "1" / "model.onnx",
            pad_id=source.pad_id,
            context_length=source.context_length,
            sample=source.tokenize(SAMPLE_TEXTS),
        )
        if visual.dim != textual.dim:
            raise ModelImportError(f"the image tower gives {visual.dim} numbers, the text tower {textual.dim}; they are not of one model")
        shutil.copyfile(source.tokenizer, staged.python_models / "clip_tokenize" / "1" / "tokenizer.json")
        _write_configs(staged, source, visual.dim)
        changes = _changes(staged, repository)
        replace_files(changes)
        _remove_old_sidecars(staged, repository)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Used(visual, textual, tuple(changes))


def _write_configs(staged: Repository, source: ClipFolder, dim: int) -> None:
    """Dims and preprocessing parameters of every config and profile."""
    side, length = [source.preprocess.size, source.preprocess.size, 3], [source.context_length]
    dims: Dims = {
        "clip_visual": {"image": side, "embedding": [dim]},
        "clip_textual": {"tokens": length, "embedding": [dim]},
        "clip_preprocess": {"pixels": side},
        "clip_tokenize": {"tokens": length},
        "search_image": {"embedding": [dim]},
        "search_text": {"embedding": [dim]},
    }
    parameters: Mapping[str, Mapping[str, str]] = {
        "clip_preprocess": {
            "size": str(source.preprocess.size),
            "resize_mode": source.preprocess.resize_mode,
            "interpolation": source.preprocess.interpolation,
        },
        "clip_tokenize": {
            "context_length": str(source.context_length),
            "pad_id": str(source.pad_id),
            "clean": source.clean,
            "language_prefix": source.language_prefix,
        },
    }
    for model, shapes in dims.items():
        config = staged.model(model) / "config.pbtxt"
        config.write_text(edit_config(config, dims=shapes, parameters=parameters.get(model, {})), encoding="utf-8")
    for file, text in render_profiles(staged):
        file.write_text(text, encoding="utf-8")


def _changes(staged: Repository, repository: Repository) -> dict[Path, Path]:
    """Targets in the repository and the staged files that differ from them; graphs last, after the sidecars they name."""
    files = [file for root in staged.roots for file in root.rglob("*") if file.is_file()]
    files.sort(key=lambda file: (file.name == "model.onnx", str(file)))
    targets = {repository.root / file.relative_to(staged.root): file for file in files}
    return {target: new for target, new in targets.items() if not target.is_file() or not filecmp.cmp(target, new, shallow=False)}


def _remove_old_sidecars(staged: Repository, repository: Repository) -> None:
    """Weights files of the graph that was served before; the new graph names none of them."""
    for network in ("clip_visual", "clip_textual"):
        wanted = {file.name for file in (staged.networks / network / "1").glob("model.onnx*")}
        for file in (repository.networks / network / "1").glob("model.onnx.*.data"):
            if file.name not in wanted:
                file.unlink(missing_ok=True)
