"""Change a repository in one step: a copy (without weights) to work on; what differs at the end is put in place whole, or not at all."""

import filecmp
import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from triptych_server.configs.edit import edit_config, edit_tuned, with_parameter
from triptych_server.configs.profiles import render_profiles, tuned_files
from triptych_server.disk import with_room
from triptych_server.engine.running import FoundEngines, running_engines
from triptych_server.errors import EngineError, ModelImportError
from triptych_server.models.hot_swap import rehearsed
from triptych_server.models.served_names import FILE as SERVED
from triptych_server.models.served_names import Names, served_names, write_served_names
from triptych_server.models.swap import recover, replaced_files
from triptych_server.repository import Repository
from triptych_server.repository_lock import locked

Dims = Mapping[str, Mapping[str, Sequence[int]]]
Parameters = Mapping[str, Mapping[str, str]]
CACHED = ("search_text",)
"""Ensembles whose answers Triton keeps."""
ANSWERED_BY = {"clip": ("clip_model", ("search_image", "search_text", "photo")), "faces": ("face_model", ("faces", "photo"))}
"""By task: the parameter that names the model, and the ensembles that have it, for those who see nothing but the server."""
STAGING = ".import-"
VERSIONS = "versions"
"""Remembers the newest version of such an ensemble, also of a change that was undone: its answers may be in Triton's cache."""

_NOT_TOLD = "serves this repository too and cannot be told: it keeps the old model until it is started anew"
_logger = logging.getLogger(__name__)


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
        """Set dims (model to tensor to shape) and parameters in the configs, tuned ones too, and render every profile anew.

        A model that the repository does not have needs no edit: someone may serve search without `photo`.
        """
        there = {folder.name: folder for folder in self.staged.models()}
        for model in sorted({*dims, *parameters} & set(there)):
            config = there[model] / "config.pbtxt"
            config.write_text(edit_config(config, dims=dims.get(model, {}), parameters=parameters.get(model, {})), encoding="utf-8")
        for file in tuned_files(self.staged):
            model = file.parents[1].name
            file.write_text(edit_tuned(file, dims=dims.get(model, {}), parameters=parameters.get(model, {})), encoding="utf-8")
        for file, text in render_profiles(self.staged):
            file.parent.mkdir(exist_ok=True)  # of a network of the user's own
            file.write_text(text, encoding="utf-8")

    def name(self, names: Names) -> None:
        """Write who answers into the configs of the ensembles that clients call; nothing where no name is known."""
        there = {folder.name: folder for folder in self.staged.models()}
        for task, name in names.items():
            key, ensembles = ANSWERED_BY[task]
            for ensemble in filter(there.__contains__, ensembles):
                config = there[ensemble] / "config.pbtxt"
                config.write_text(with_parameter(config, key, name.repository if name else ""), encoding="utf-8")


@contextmanager
def one_change(repository: Repository, names: Names, *, needed: int = 0, swap: bool = True) -> Iterator[Change]:
    """Work on a copy inside the block; when it ends without an error the repository changes, else it stays as it was. `names` says
    for each task that changes what is served then, for served.json.

    Engines that serve the repository change over without a failed request, unless `swap` is False. When one of them cannot load the new
    models nothing changes: ModelImportError. RepositoryBusyError when another change takes too long, RepositoryReadOnlyError where none can
    be made, DiskSpaceError when the change, of about `needed` bytes, does not fit on the disk.
    """
    with locked(repository) as notes, with_room(repository.root, needed):
        if recover(notes, repository.roots):
            _logger.warning("an earlier change was cut short; its files were put back")
        for killed in repository.root.glob(f"{STAGING}*"):
            shutil.rmtree(killed, ignore_errors=True)
        served = served_names(repository)  # a damaged file is better found now
        staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=repository.root))
        try:
            change = Change(repository.copy_to(staging / "repository"))
            yield change
            change.name(names)
            if {"clip_textual", "clip_tokenize"} & _changed(change.staged, _differences(change.staged, repository)):
                _renew_answers(change.staged, repository, notes / VERSIONS)
            replaced, old = _differences(change.staged, repository), _old_files(change.staged, repository)
            models = _changed(change.staged, replaced)
            files = tuple(replaced)
            if {**served, **names} != served:  # with the models or not at all: a start looks there for what is served
                replaced |= {repository.root / SERVED: write_served_names(change.staged, {**served, **names})}
            found = _engines(repository)
            engines = found.reachable if swap else ()
            for engine in (*found.elsewhere, *(() if swap else found.reachable)) if models else ():
                engine.mark(stale=True)
            with rehearsed(engines, repository, change.staged, models) as swaps, replaced_files(replaced, notes):
                for each in swaps:
                    each.switch()
            for file in old:
                file.unlink(missing_ok=True)
                if not any(file.parent.iterdir()):
                    file.parent.rmdir()
            change.files, change.swapped = files, len(swaps)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _engines(repository: Repository) -> FoundEngines:
    """Those that serve the repository; a warning for each that cannot be told of the change."""
    try:
        found = running_engines(repository)
    except EngineError as error:
        raise ModelImportError(str(error)) from None
    for engine in found.elsewhere:
        _logger.warning("a server in the container or on the machine %s %s", engine.machine, _NOT_TOLD)
    for file in found.unreadable:
        with suppress(FileNotFoundError):  # it has just ended
            user = f"of the user with id {file.stat().st_uid}"
            _logger.warning("a server %s %s; if there is none any more, delete %s and the folder beside it", user, _NOT_TOLD, file)
    return found


def _changed(staged: Repository, replaced: Mapping[Path, Path]) -> set[str]:
    """Models with a file that differs."""
    changed = set()
    for folder in staged.models():
        if any(new.is_relative_to(folder) for new in replaced.values()):
            changed.add(folder.name)
    return changed


def _renew_answers(staged: Repository, repository: Repository, newest: Path) -> None:
    """Give search_text its next version: Triton's response cache knows answers by model, version and input, and outlives a reload."""
    if repository.missing_weights("clip_textual", "clip_tokenize"):
        return  # nothing was served yet
    for model in CACHED:
        versions = [folder for folder in (staged.ensembles / model).glob("*") if folder.name.isdecimal()]
        noted = newest / model
        used = [int(folder.name) for folder in versions] + ([int(noted.read_text("utf-8"))] if noted.is_file() else [])
        for version in versions:
            shutil.rmtree(version)
        folder = staged.ensembles / model / str(max(used, default=0) + 1)
        folder.mkdir()
        (folder / ".gitkeep").touch()  # a folder of its own is all that a version of an ensemble is
        newest.mkdir(exist_ok=True)
        noted.write_text(folder.name, encoding="utf-8")


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
