"""The search: an optimiser proposes points, a bench scores them, a file remembers them, so that a search that was cut short goes on."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from triptych_server.errors import EngineError, RuntimeMissingError
from triptych_server.tuning.goal import Goal
from triptych_server.tuning.knobs import Knob, Point
from triptych_server.tuning.trial import PROFILE, Score

_SEED = 7
_FIRST_RANDOM = 8  # points before the optimiser has something to learn from
_PROFILE_SCORE = "profile"

Scorer = Callable[[Point], Score]
Progress = Callable[[int, "Tried"], None]


@dataclass(frozen=True, slots=True)
class Tried:
    """A point and what came of it; `reason` says why a point could not be scored."""

    point: Point
    score: Score | None
    reason: str = ""


def search(
    score: Scorer, knobs: Mapping[str, Sequence[Knob]], goal: Goal, trials: int, journal: Path, name: str, progress: Progress
) -> tuple[Score, list[Tried]]:
    """Score the profile, then points until there are `trials` under `name` in the journal, those of earlier runs included. Returns the
    profile's score and every point. EngineError when the profile itself cannot be scored."""
    optuna = _optuna()
    journal.parent.mkdir(parents=True, exist_ok=True)
    backend = optuna.storages.journal.JournalFileBackend(str(journal))
    storage = optuna.storages.JournalStorage(backend)
    study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    if _PROFILE_SCORE not in study.user_attrs:
        study.set_user_attr(_PROFILE_SCORE, asdict(score(PROFILE)))
    profile = Score(**study.user_attrs[_PROFILE_SCORE])
    tried = [_tried(trial) for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    # Begun anew with the same seed, it would propose the points again that it began with.
    study.sampler = optuna.samplers.TPESampler(seed=_SEED + len(tried), n_startup_trials=_FIRST_RANDOM, multivariate=True)
    for number in range(len(tried), trials):
        trial = study.ask()
        point = {f"{model}.{knob.name}": _proposed(trial, model, knob) for model, own in knobs.items() for knob in own}
        trial.set_user_attr("point", json.dumps(point))
        try:
            found = score(point)
        except EngineError as error:
            trial.set_user_attr("reason", str(error))
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            tried.append(Tried(point, None, str(error)))
        else:
            trial.set_user_attr("score", asdict(found))
            for limit, violation in goal.violations(found, profile).items():
                trial.set_constraint(limit, violation)
            study.tell(trial, goal.value(found))
            tried.append(Tried(point, found))
        progress(number + 1, tried[-1])
    return profile, tried


def ranked(tried: Sequence[Tried], profile: Score, goal: Goal) -> list[Tried]:
    """The points that keep the limits and are better than the profile, unless that breaks them itself; the best first, and each once,
    whatever was tried again."""
    least = goal.value(profile) if goal.kept(profile, profile) else float("-inf")
    good = [each for each in tried if each.score and goal.kept(each.score, profile) and goal.value(each.score) > least]
    once: dict[str, Tried] = {}
    for each in sorted(good, key=lambda item: -goal.value(_scored(item))):
        once.setdefault(json.dumps(each.point, sort_keys=True), each)
    return list(once.values())


def pareto(tried: Sequence[Tried]) -> list[Tried]:
    """The points of which no other has both more throughput and a lower p95, by rising throughput."""
    front: list[Tried] = []
    scored = [each for each in tried if each.score is not None]
    for each in sorted(scored, key=lambda item: (-_scored(item).throughput, _scored(item).p95_ms)):
        if not front or _scored(each).p95_ms < _scored(front[-1]).p95_ms:
            front.append(each)
    return front[::-1]


def _scored(tried: Tried) -> Score:
    assert tried.score is not None
    return tried.score


def _tried(trial: Any) -> Tried:
    found = trial.user_attrs
    score = Score(**found["score"]) if "score" in found else None
    return Tried(json.loads(found.get("point", "{}")), score, found.get("reason", ""))


def _proposed(trial: Any, model: str, knob: Knob) -> Any:
    """The optimiser chooses an index, so that it knows which values are neighbours."""
    return knob.values[trial.suggest_int(f"{model}.{knob.name}", 0, len(knob.values) - 1)]


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise RuntimeMissingError("Optuna, which chooses the points, is not installed: pip install 'triptych[tune]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
