"""Change a repository in one step: a copy (without weights) to work on; what differs at the end is put in place whole, or not at all."""

import filecmp
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from triptych_server.configs.edit import edit_config
from triptych_server.configs.profiles import render_profiles
from triptych_server.engine.running import FOLDER as NOTES
from triptych_server.engine.running import running_engines
from triptych_server.errors import ModelImportError
from triptych_server.models.hot_swap import rehearsed
from triptych_server.models.swap import replaced_files
from triptych_server.repository import Repository

Dims = Mapping[str, Mapping[str, Sequence[int]]]
Parameters = Mapping[str, Mapping[str, str]]
CACHED = ("search_text",)
"""Ensembles whose answers Triton keeps."""
LOCK_SECONDS = 5.0
STAGING = ".import-"


@dataclass(slots=True)
class Change:
    """The copy; once the change is made, the files of the repository that it replaced and how many engines changed over."""

    staged: Repository
    files: tuple[Path, ...] = field(default=(), init=False)
    swapped: int = field(default=0, init=False)

    def graph(self, network: str) -> Path:
        """Where the copy wants the graph of a network."""
        return self.staged.model(network) / "1" / "model.onnx"

    def edit_configs(self, dims: Dims, parameters: Parameters) -> None:
        """Set dims (model to tensor to shape) and parameters in the configs, and render every profile anew.

        A model that the repository does not have needs no edit: someone may serve search without `photo`.
        """
        there = {folder.name: folder for folder in self.staged.models()}
        for model in sorted({*dims, *parameters} & set(there)):
            config = there[model] / "config.pbtxt"
            config.write_text(edit_config(config, dims=dims.get(model, {}), parameters=parameters.get(model, {})), encoding="utf-8")
        for file, text in render_profiles(self.staged):
            file.write_text(text, encoding="utf-8")


@contextmanager
def one_change(repository: Repository, *, swap: bool = True) -> Iterator[Change]:
    """Work on a copy inside the block; when it ends without an error the repository changes, else it stays as it was.

    Engines that serve the repository change over without a failed request, unless `swap` is False. When one of them cannot load the new
    models nothing changes: ModelImportError. The same when another change is under way.
    """
    with _alone(repository):
        for killed in repository.root.glob(f"{STAGING}*"):
            shutil.rmtree(killed, ignore_errors=True)
        staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=repository.root))
        try:
            change = Change(repository.copy_to(staging / "repository"))
            yield change
            if {"clip_textual", "clip_tokenize"} & _changed(change.staged, _differences(change.staged, repository)):
                _renew_answers(change.staged, repository)
            replaced, old = _differences(change.staged, repository), _old_files(change.staged, repository)
            engines = running_engines(repository) if swap else []
            with rehearsed(engines, repository, change.staged, _changed(change.staged, replaced)) as swaps, replaced_files(replaced):
                for each in swaps:
                    each.switch()
            for file in old:
                file.unlink(missing_ok=True)
                if not any(file.parent.iterdir()):
                    file.parent.rmdir()
            change.files, change.swapped = tuple(replaced), len(swaps)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _alone(repository: Repository) -> Iterator[None]:
    """Hold the repository for one change."""
    folder = repository.root / NOTES
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ModelImportError(f"{repository.root} cannot be changed ({error.strerror}); name one of your own with --repository") from None
    lock = FileLock(folder / "change.lock")
    try:
        with lock.acquire(timeout=LOCK_SECONDS):
            yield
    except Timeout:
        raise ModelImportError(f"another model is being put in place in {repository.root}; try again when it is done") from None


def _changed(staged: Repository, replaced: Mapping[Path, Path]) -> set[str]:
    """Models with a file that differs."""
    changed = set()
    for folder in staged.models():
        if any(new.is_relative_to(folder) for new in replaced.values()):
            changed.add(folder.name)
    return changed


def _renew_answers(staged: Repository, repository: Repository) -> None:
    """Give search_text its next version: Triton's response cache knows answers by model, version and input, and outlives a reload."""
    if repository.missing_weights("clip_textual", "clip_tokenize"):
        return  # nothing was served yet
    for model in CACHED:
        for version in (folder for folder in (staged.ensembles / model).glob("*") if folder.name.isdecimal()):
            version.rename(version.with_name(str(int(version.name) + 1)))


def _differences(staged: Repository, repository: Repository) -> dict[Path, Path]:
    """Targets in the repository and the staged files that differ from them; graphs last, after the sidecars they name."""
    files = [file for root in staged.roots for file in root.rglob("*") if file.is_file()]
    files.sort(key=lambda file: (file.name == "model.onnx", str(file)))
    targets = {repository.root / file.relative_to(staged.root): file for file in files}
    return {target: new for target, new in targets.items() if not target.is_file() or not filecmp.cmp(target, new, shallow=False)}


def _old_files(staged: Repository, repository: Repository) -> list[Path]:
    """Weights files of the graphs that will be replaced, for the new graphs name none of them; and versions that have a successor."""
    folders = [graph.parent for graph in staged.networks.glob("*/1/model.onnx")]
    beside = [file for new in folders for file in (repository.root / new.relative_to(staged.root)).glob("model.onnx.*.data")]
    versions = [file for model in CACHED for file in (repository.ensembles / model).glob("*/*")]
    return [file for file in [*beside, *versions] if not (staged.root / file.relative_to(repository.root)).exists()]
