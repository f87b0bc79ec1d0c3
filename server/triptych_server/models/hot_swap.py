"""Swap models in running Tritons without a failed request: new ones are loaded beside the old, then the ensembles change over.

A model whose shapes change cannot be loaded anew under its name: the ensemble above it would not fit for a while. So the new models
and ensembles go on trial first, under names of their own. When all are ready, the ensembles that clients call are pointed at them. Then
the old models are unloaded, the new ones loaded under their own names, which nobody uses meanwhile, and the ensembles pointed back.
"""

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.disk import is_full
from triptych_server.engine.control import ControlApi
from triptych_server.engine.running import RunningEngine
from triptych_server.engine.servable import all_needed, closure, find_servable, in_order, needs_of_all
from triptych_server.errors import EngineError, ModelImportError
from triptych_server.models.trial import Trial, free_suffix, is_on_trial, own_names
from triptych_server.repository import Repository

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Swap:
    """One engine's change from the models that it has loaded to those of `trial`.

    `models` come in the order in which they can be loaded; `ensembles` are those among them that clients call, `before` what answered
    before the change, `left` what a change that was killed left behind it, from which ensembles may answer: callers first. At most two
    copies of a network are loaded at a time, or three where something was left.
    """

    control: ControlApi
    trial: Trial
    models: Sequence[str]
    ensembles: Sequence[str]
    before: Set[str]
    left: Sequence[str] = ()
    pointed: dict[str, ModelConfig] = field(default_factory=dict, init=False)  # ensembles that were pointed at the trial, and how
    redirected: set[str] = field(default_factory=set, init=False)  # those whose steps are on trial now
    unloaded: list[str] = field(default_factory=list, init=False)  # others that are not what they were, in the order of loading
    on_trial: list[str] = field(default_factory=list, init=False)

    def rehearse(self) -> None:
        """Load everything under the names on trial. EngineError, naming the model and why, when one does not load."""
        for name in self.models:
            self.on_trial.append(name)
            self.trial.build(name)
            self.control.load(self.trial.name(name))

    def switch(self) -> None:
        """Change over; the new files are in the repository now, and the rehearsal went well. EngineError when a step fails."""
        for name in self.ensembles:
            self.pointed[name] = self.trial.redirected(name)
            self._redirect(name)
        for name in self.left:
            _discard(self.control, self.trial.folder, name)
        self.unloaded = [name for name in self.models if name not in self.ensembles]
        for name in reversed(self.unloaded):  # who calls others first: its last requests still want to call them
            if name in self.before:
                self.control.unload(name)
        for name in self.unloaded:
            self.load_anew(name)
        for name in self.ensembles:
            self.load_anew(name)
            self.redirected.discard(name)

    def undo(self) -> list[str]:
        """Load what was there before; the old files are in the repository again. Returns a sentence for each model that stays changed."""
        problems: dict[str, str] = {}
        for name in self.pointed:  # also those that were pointed back: over old networks of other shapes Triton would drop them
            if name not in self.redirected:
                self._tried(partial(self._redirect, name))
        for name in self.unloaded:
            if name in self.before:
                self._tried(partial(self.load_anew, name))  # its ensembles tell
        for name in self.pointed:
            if problem := self._tried(partial(self._back, name)):
                problems[name] = f"{name} still answers with the new model, until that server is started anew ({problem})"
        for name in reversed(self.unloaded):
            if name not in self.before:
                self._tried(partial(self.control.unload, name))  # nobody asks it
        missing: set[str] = set()
        problem = self._tried(lambda: missing.update(set(self.before) & set(self.models) - self.control.ready()))
        for name in sorted(missing - set(problems)):
            problems[name] = f"{name} does not answer any more, until that server is started anew"
        return [*problems.values(), *([f"that server does not answer ({problem})"] if problem else [])]

    def _back(self, name: str) -> None:
        """An ensemble as it was before the change."""
        if name in self.before:
            self.load_anew(name)
        else:
            self.control.unload(name)
        self.redirected.discard(name)

    def _redirect(self, name: str) -> None:
        self.control.load(name, self.pointed[name])
        self.redirected.add(name)

    @staticmethod
    def _tried(step: Callable[[], None]) -> str:
        """Why a step failed; empty when it did not. Whatever it was, the other models come next."""
        try:
            step()
        except Exception as error:
            return str(error)
        return ""

    def clear(self) -> None:
        """Unload and remove what was on trial, except for what ensembles still need."""
        needed = {each for name in self.redirected for each in all_needed(self.trial.repository, name)}
        for name in reversed(self.on_trial):
            if name not in needed:
                with contextlib.suppress(EngineError):  # it may be the one that could not be loaded, or the server may have ended
                    self.control.unload(self.trial.name(name))
                self.trial.remove(name)

    def load_anew(self, name: str) -> None:
        """From the folder as it is now, as the engine's start did."""
        overridden = self.trial.overridden(name)
        if overridden is None:  # a config that was given in a load stays, unless the folder's is newer
            (self.trial.repository.model(name) / "config.pbtxt").touch()
        self.control.load(name, overridden)


@contextlib.contextmanager
def rehearsed(engines: Sequence[RunningEngine], repository: Repository, staged: Repository, changed: Set[str]) -> Iterator[list[Swap]]:
    """The swaps of the engines that must load something, each rehearsed; what was on trial is gone after the block, in which the files
    are put in place and `switch` is called.

    ModelImportError, with everything as it was, when a new model does not load. When the block raises, the repository must be as it was
    by then: the engines load from it again.
    """
    swaps: list[Swap] = []
    touched: list[RunningEngine] = []
    url = ""
    try:
        try:
            for engine in engines:
                url = engine.http_url
                swap = _swap(engine, repository, staged, changed)
                if swap.models or swap.left:
                    swaps.append(swap)
                    touched.append(engine)
                    swap.rehearse()
        except (EngineError, OSError) as error:
            if is_full(error):
                raise
            raise ModelImportError(f"the server at {url} cannot load it, the old model stays: {own_names(str(error))}") from error
        for engine in touched:
            engine.mark(stale=True)  # until it is done: should this process be killed, the next change loads everything anew
        try:
            yield swaps
        except BaseException as error:
            problems = [problem for swap in swaps for problem in swap.undo()]
            for engine in touched:
                engine.mark(stale=engine.stale or bool(problems))
            for problem in problems:
                _logger.error("%s", problem)
            if isinstance(error, EngineError):
                reason = "; ".join([own_names(str(error)), *problems])
                raise ModelImportError(f"a server cannot change over, the old model stays: {reason}") from error
            raise
        for engine in touched:
            engine.mark(stale=False)
    finally:
        for swap in swaps:
            swap.clear()


def _swap(engine: RunningEngine, repository: Repository, staged: Repository, changed: Set[str]) -> Swap:
    """What an engine must load: everything where it is stale. It has nothing left of a killed change then that no ensemble may need."""
    control, ready = engine.control, engine.control.ready()
    before, left = ready, _left(engine, repository, ready)
    if left and engine.stale:
        before = ready | {folder.name for folder in find_servable(repository).models}  # it may have unloaded some
    elif left:  # it never came to change over
        for name in left:
            _discard(control, engine.staging, name)
        left = []
    models = affected(repository, staged, {folder.name for folder in staged.models()} if engine.stale else changed)
    ensembles = [name for name in models if staged.model(name).parent == staged.ensembles]
    suffix = free_suffix(set(left))
    trial = Trial(repository, staged, engine.staging, engine.profile, engine.overrides, models, suffix, engine.config_name)
    return Swap(control, trial, models, ensembles, before, [name for name in left if name not in models])


def _left(engine: RunningEngine, repository: Repository, ready: Set[str]) -> list[str]:
    """What a killed change left loaded, callers first: models on trial, and those that were to be served for the first time."""
    on_trial = {name for name in ready if is_on_trial(name)}
    if not on_trial:
        return []
    _logger.warning("an earlier change was cut short; clearing what it left in the server at %s", engine.http_url)
    known = {folder.name for folder in repository.models()}
    new = (known & ready) - {folder.name for folder in find_servable(repository).models} if engine.stale else set()
    rank = {name: place for place, name in enumerate(in_order(repository, known))}
    return sorted(on_trial | new, key=lambda name: rank.get(own_names(name), len(rank)), reverse=True)


def _discard(control: ControlApi, folder: Path, name: str) -> None:
    control.unload(name)
    shutil.rmtree(folder / name, ignore_errors=True)  # of those on trial


def affected(repository: Repository, staged: Repository, changed: Set[str]) -> list[str]:
    """The changed models and all that hang on them, those that others need first; without those that lack weights, before and after."""
    needed = needs_of_all(staged)
    found = set(changed)
    while more := {name for name, own in needed.items() if own & found} - found:
        found |= more
    whole = [name for name in found if not _lacking(repository, staged, closure(name, needed))]
    return in_order(staged, whole)


def _lacking(repository: Repository, staged: Repository, models: Set[str]) -> set[str]:
    """Weights that are neither new nor in place."""
    return set(staged.missing_weights(*models)) & set(repository.missing_weights(*models))
