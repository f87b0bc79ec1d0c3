"""The search: an optimiser proposes points, a bench scores them, a file remembers them, so that a search that was cut short goes on."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from triptych_server.errors import EngineError, RuntimeMissingError, TritonCrashedError
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
    """Score the profile, then points until there are `trials` under `name` in the journal, those of earlier runs included, whatever their
    goal was. Returns the profile's score and every point. EngineError when the profile itself cannot be scored, TritonCrashedError when
    no point can be any more: those to come are not remembered as bad ones."""
    optuna = _optuna()
    journal.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(journal)))
    remembered = optuna.create_study(storage=storage, study_name=name, load_if_exists=True)
    if _PROFILE_SCORE not in remembered.user_attrs:
        remembered.set_user_attr(_PROFILE_SCORE, asdict(score(PROFILE)))
    profile = Score(**remembered.user_attrs[_PROFILE_SCORE])
    tried = [_tried(trial) for trial in remembered.get_trials(deepcopy=False)]
    # Begun anew with the same seed, it would propose the points again that it began with.
    sampler = optuna.samplers.TPESampler(seed=_SEED + len(tried), n_startup_trials=_FIRST_RANDOM, multivariate=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for each in tried:
        study.add_trial(_learnt(optuna, each, knobs, goal, profile))
    for number in range(len(tried), trials):
        trial = study.ask()
        point = {f"{model}.{knob.name}": _proposed(trial, model, knob) for model, own in knobs.items() for knob in own}
        found = _scored_point(score, point)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)  # passed over: it learns from the next line, which has the limits too
        study.add_trial(_learnt(optuna, found, knobs, goal, profile))
        remembered.add_trial(_remembered(optuna, found))
        tried.append(found)
        progress(number + 1, found)
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


def _scored_point(score: Scorer, point: Point) -> Tried:
    try:
        return Tried(point, score(point))
    except TritonCrashedError:
        raise
    except EngineError as error:
        return Tried(point, None, str(error))


def _learnt(optuna: Any, tried: Tried, knobs: Mapping[str, Sequence[Knob]], goal: Goal, profile: Score) -> Any:
    """What the optimiser shall know of a point: its value and its limits, by this goal."""
    named = {f"{model}.{knob.name}": knob.values for model, own in knobs.items() for knob in own}
    places = {name: named[name].index(value) for name, value in tried.point.items()}
    spaces = {name: optuna.distributions.IntDistribution(0, len(named[name]) - 1) for name in places}
    if tried.score is None:
        return optuna.trial.create_trial(state=optuna.trial.TrialState.PRUNED, params=places, distributions=spaces)
    limits = goal.violations(tried.score, profile)
    return optuna.trial.create_trial(params=places, distributions=spaces, value=goal.value(tried.score), constraints=limits)


def _remembered(optuna: Any, tried: Tried) -> Any:
    """A point as the journal holds it: what was measured, without a judgement."""
    facts = {"point": dict(tried.point), "score": asdict(tried.score) if tried.score else None, "reason": tried.reason}
    return optuna.trial.create_trial(value=0.0, user_attrs=facts)


def _tried(trial: Any) -> Tried:
    found = trial.user_attrs
    return Tried(found["point"], Score(**found["score"]) if found["score"] else None, found["reason"])


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
