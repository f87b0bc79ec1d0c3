"""Swap models in running Tritons without a failed request: new ones are loaded beside the old, then the ensembles change over.

A model whose shapes change cannot be loaded anew under its name: the ensemble above it would not fit for a while. So the new models
and ensembles go on trial first, under names of their own. When all are ready, the ensembles that clients call are pointed at them, the
models are loaded anew under their own names, which nobody uses meanwhile, and the ensembles are pointed back.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.read import read_config, render_config
from triptych_server.engine.running import RunningEngine
from triptych_server.engine.servable import CALLED_BY_PARAMETER, closure, needs
from triptych_server.errors import EngineError, ModelImportError
from triptych_server.repository import WEIGHTS, Repository

ON_TRIAL = "__next"
"""Behind the name of a model on trial."""


@dataclass(frozen=True, slots=True)
class Swap:
    """One engine's change from a repository's models to those of the same names in `staged`, a copy that lacks unchanged weights.

    `models` come in the order in which they can be loaded; `ensembles` are those among them that clients call.
    """

    engine: RunningEngine
    repository: Repository
    staged: Repository
    models: Sequence[str]
    ensembles: Sequence[str]

    def rehearse(self) -> None:
        """Load everything under the names on trial. EngineError, naming the model and why, when one does not load."""
        for name in self.models:
            self._build(name)
            self.engine.control.load(name + ON_TRIAL)

    def switch(self) -> None:
        """Change over; the new files are in the repository now, and the rehearsal went well."""
        for name in self.ensembles:
            config = self._on_trial(read_config(self.repository.model(name) / "config.pbtxt"))
            config.name = name
            self.engine.control.load(name, config)
        self.restore()

    def restore(self) -> None:
        """Load from the repository, as it is now, what it has weights for."""
        for name in self.models:
            if not self.repository.missing_weights(*_all_needed(self.repository, name)):
                # A config that was given in a load stays, unless the folder's is newer.
                (self.repository.model(name) / "config.pbtxt").touch()
                self.engine.control.load(name)

    def clear(self) -> None:
        """Unload and remove what was on trial, ensembles first."""
        for name in reversed(self.models):
            folder = self.engine.staging / (name + ON_TRIAL)
            if folder.exists():
                with contextlib.suppress(EngineError):  # it may be the one that could not be loaded, or the server may have ended
                    self.engine.control.unload(folder.name)
                shutil.rmtree(folder, ignore_errors=True)

    def _build(self, name: str) -> None:
        """A model folder on trial: the staged one, its weights, and the config of the engine's profile with names on trial."""
        source, target = self.staged.model(name), self.engine.staging / (name + ON_TRIAL)
        shutil.rmtree(target, ignore_errors=True)
        own = self.repository.root / source.relative_to(self.staged.root)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("configs", "__pycache__"), copy_function=_link)
        for pattern in WEIGHTS:
            if not any(source.glob(f"1/{pattern}")):  # not new
                for weights in own.glob(f"1/{pattern}"):
                    _link(str(weights), str(target / "1" / weights.name))
        tuned = source / "configs" / f"{self.engine.profile}.pbtxt"
        config = self._on_trial(read_config(tuned if tuned.is_file() else source / "config.pbtxt"))
        (target / "config.pbtxt").unlink()  # it may be a link
        (target / "config.pbtxt").write_text(render_config(config), encoding="utf-8")

    def _on_trial(self, config: ModelConfig) -> ModelConfig:
        """The config with the names of what is swapped replaced by those on trial, its own included."""
        config.name += ON_TRIAL
        for step in config.ensemble_scheduling.step:
            if step.model_name in self.models:
                step.model_name += ON_TRIAL
        for parameter in CALLED_BY_PARAMETER:
            if parameter in config.parameters and config.parameters[parameter].string_value in self.models:
                config.parameters[parameter].string_value += ON_TRIAL
        return config


@contextlib.contextmanager
def rehearsed(engines: Sequence[RunningEngine], repository: Repository, staged: Repository, changed: Set[str]) -> Iterator[list[Swap]]:
    """The swaps of all engines, each rehearsed; what was on trial is gone after the block.

    ModelImportError, with everything as it was, when a new model does not load. When the block raises, the repository must be as it was
    by then: the engines load from it again.
    """
    models = affected(repository, staged, changed)
    ensembles = [name for name in models if staged.model(name).parent == staged.ensembles]
    swaps = [Swap(engine, repository, staged, models, ensembles) for engine in engines]
    try:
        for swap in swaps:
            try:
                swap.rehearse()
            except EngineError as error:
                reason = str(error).replace(ON_TRIAL, "")
                raise ModelImportError(f"the server at {swap.engine.http_url} cannot load it, the old model stays: {reason}") from error
        try:
            yield swaps
        except BaseException:
            for swap in swaps:
                with contextlib.suppress(EngineError):
                    swap.restore()
            raise
    finally:
        for swap in swaps:
            swap.clear()


def affected(repository: Repository, staged: Repository, changed: Set[str]) -> list[str]:
    """The changed models and all that hang on them, those that others need first; without those that lack weights, before and after."""
    needed = {folder.name: needs(folder) for folder in staged.models()}
    found = set(changed)
    while more := {name for name, own in needed.items() if own & found} - found:
        found |= more
    whole = [name for name in found if not _lacking(repository, staged, _all_needed(staged, name))]
    return sorted(whole, key=lambda name: (len(_all_needed(staged, name)), name))


def _all_needed(repository: Repository, name: str) -> set[str]:
    """A model and all that it needs."""
    folders = {folder.name: folder for folder in repository.models()}
    return closure(name, {each: needs(folder) & set(folders) for each, folder in folders.items()})


def _lacking(repository: Repository, staged: Repository, models: Set[str]) -> set[str]:
    """Weights that are neither new nor in place."""
    return set(staged.missing_weights(*models)) & set(repository.missing_weights(*models))


def _link(source: str, target: str) -> str:
    """A second name for a file, or a copy on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
