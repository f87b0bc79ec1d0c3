"""Make a CLIP model folder the served model: import both graphs, rewrite the configs, put everything in place as one change."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from triptych_server.disk import size_of
from triptych_server.errors import ModelImportError
from triptych_server.models.change import Dims, Parameters, one_change
from triptych_server.models.clip_folder import ClipFolder
from triptych_server.models.import_clip import import_textual, import_visual
from triptych_server.models.report import ImportReport
from triptych_server.models.served_names import ServedName
from triptych_server.repository import Repository

SAMPLE_TEXTS = ("dogs", "a quiet forest", "a photo of two red boats at night", "Zwei Boote; 船 🚤", "stars and trees over the sea " * 40)
"""What an imported text tower is compared with its original on: short, of several scripts, and longer than any context."""


@dataclass(frozen=True, slots=True)
class Used:
    """What was put in place: the reports of both imports, the files of the repository that changed, and how many running engines
    changed over."""

    visual: ImportReport
    textual: ImportReport
    files: tuple[Path, ...]
    swapped: int


def use_folder(
    folder: Path, repository: Repository, *, name: ServedName | None = None, legacy_resize: bool = False, swap: bool = True
) -> Used:
    """Import the CLIP model in `folder`, `name` where it is of the cache, and serve it from `repository`: at once where engines run,
    unless `swap` is False.

    `legacy_resize` resizes as Immich did up to 3.2, whatever the model says: shortest side, bicubic. ModelImportError, with all as it was,
    when a graph cannot be imported, does not agree with its original, or cannot be loaded by a running engine.
    """
    source = ClipFolder.read(folder)
    if legacy_resize:
        source = replace(source, preprocess=replace(source.preprocess, resize_mode="shortest", interpolation="bicubic"))
    needed = size_of(*source.visual.parent.iterdir(), *source.textual.parent.iterdir())
    with one_change(repository, {"clip": name}, needed=needed, swap=swap) as change:
        visual = import_visual(source.visual, change.graph("clip_visual"), preprocess=source.preprocess)
        textual = import_textual(
            source.textual,
            change.graph("clip_textual"),
            pad_id=source.pad_id,
            context_length=source.context_length,
            sample=source.tokenize(SAMPLE_TEXTS),
        )
        if visual.dim != textual.dim:
            raise ModelImportError(f"the image tower gives {visual.dim} numbers, the text tower {textual.dim}; they are not of one model")
        shutil.copyfile(source.tokenizer, change.staged.model("clip_tokenize") / "1" / "tokenizer.json")
        change.edit_configs(_dims(source, visual.dim), _parameters(source))
    return Used(visual, textual, change.files, change.swapped)


def _dims(source: ClipFolder, dim: int) -> Dims:
    """The shapes that hang on the model, in every config."""
    side, length = [source.preprocess.size, source.preprocess.size, 3], [source.context_length]
    return {
        "clip_visual": {"image": side, "embedding": [dim]},
        "clip_textual": {"tokens": length, "embedding": [dim]},
        "clip_preprocess": {"pixels": side},
        "photo_preprocess": {"pixels": side},
        "clip_tokenize": {"tokens": length},
        "search_image": {"embedding": [dim]},
        "search_text": {"embedding": [dim]},
        "photo": {"embedding": [dim]},
    }


def _parameters(source: ClipFolder) -> Parameters:
    """The facts of preprocessing and tokenising."""
    transform = {
        "size": str(source.preprocess.size),
        "resize_mode": source.preprocess.resize_mode,
        "interpolation": source.preprocess.interpolation,
    }
    return {
        "clip_preprocess": transform,
        "photo_preprocess": transform,
        "clip_tokenize": {
            "context_length": str(source.context_length),
            "pad_id": str(source.pad_id),
            "clean": source.clean,
            "language_prefix": source.language_prefix,
        },
    }
