"""Tune a model or an ensemble on this machine: a Triton of its own, the search, a last comparison in turns, the config written."""

import re
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.profiles import profile_names
from triptych_server.configs.read import DEFAULT_PROFILE, profile_config, render_config
from triptych_server.engine import Engine, EngineOptions
from triptych_server.engine.control import ControlApi
from triptych_server.engine.servable import all_needed, in_order
from triptych_server.errors import ConfigError, TritonCrashedError
from triptych_server.repository import Repository
from triptych_server.repository_lock import FOLDER
from triptych_server.tuning.goal import Goal
from triptych_server.tuning.knobs import Knob, Point, knobs_for
from triptych_server.tuning.load import Load, requests_for
from triptych_server.tuning.reached import least_batch, reached
from triptych_server.tuning.search import Progress, Tried, ranked, search
from triptych_server.tuning.study import study_name
from triptych_server.tuning.trial import Bench, Score, median_of

JOURNAL = "tuning.journal"
CACHE_BYTES = 1 << 20
"""Fewer answers than there are texts, so that none comes from Triton's cache when they begin anew."""
FINALISTS = 3
"""Points that are compared with the profile in the end, the best first, until one is better for certain: the best of many measured
once is often a lucky one."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """What to tune (`target`), from which profile, under which load, towards which goal; the config is written as `name`. `photos` are sent
    to models that take pictures; drawn ones when empty. ConfigError for a name that is no name, or a profile's."""

    repository: Repository
    target: str
    profile: str = DEFAULT_PROFILE
    goal: Goal = field(default_factory=Goal)
    load: Load = field(default_factory=lambda: Load(in_flight=16, seconds=4.0))
    trials: int = 30
    runs: int = 3
    name: str = "tuned"
    cores: int = 1
    precisions: tuple[str, ...] = ()
    photos: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in profile_names(self.repository):
            raise ConfigError(f"the config cannot be called {self.name!r}; expected small letters, digits, - and _, and no profile's name")
        if self.trials < 1 or self.runs < 1:
            raise ConfigError(f"{self.trials} trials of {self.runs} runs; expected at least one of each")


@dataclass(frozen=True, slots=True)
class Tuned:
    """The profile's score, every point, and the best one: it keeps the limits, and beats the profile in every turn of a last comparison
    unless that breaks them (None: no point does). `turns` are the scores of that comparison, the point's and the profile's; `gains` how
    many times better each turn was; `configs` those at the point, of every model that has knobs. `left_alone`: models that the load did
    not reach. `others_share`: of all cores' time, what unrelated processes took in the worst run."""

    profile: Score
    tried: tuple[Tried, ...]
    left_alone: tuple[str, ...] = ()
    best: Tried | None = None
    turns: tuple[tuple[Score, Score], ...] = ()
    gains: tuple[float, ...] = ()
    configs: Mapping[str, ModelConfig] = field(default_factory=dict)
    others_share: float = 0.0

    @property
    def gain(self) -> float:
        """The middle one of the turns'; 1 without a best point."""
        return statistics.median(self.gains) if self.gains else 1.0


def tune(options: TuneOptions, say: Callable[[str], None], progress: Progress) -> Tuned:
    """Search; nothing is written but the journal. EngineError when the models cannot be served or measured as the profile has them, or
    Triton ends, ConfigError for precisions that none of them takes."""
    repository = options.repository
    models = in_order(repository, all_needed(repository, options.target))
    configs = {name: profile_config(repository.model(name), options.profile) for name in models}
    requests = requests_for(configs[options.target], options.photos)
    served = EngineOptions(repository, profile=options.profile, http_port=0, grpc_port=0, metrics_port=0, cache_bytes=CACHE_BYTES)
    with Engine(served) as engine:
        assert engine.pid is not None
        url, control = engine.grpc_url.removeprefix("grpc://"), ControlApi(engine.http_url, engine.control_headers)
        others = {folder.name for folder in repository.models()} & control.ready() - set(models)
        for name in reversed(in_order(repository, others)):
            control.unload(name)  # its memory would count, and each load of a model below it would load it anew
        knobs = _knobs(options, configs, reached(url, engine.metrics_url, options.target, requests))
        tuned = {name: configs[name] for name in knobs}
        left = tuple(name for name, config in configs.items() if name not in knobs and not config.HasField("ensemble_scheduling"))
        for name in left:
            say(f"{name} was not asked: it stays as it is (photos that reach it: --photos)")
        count = sum(len(each) for each in knobs.values())
        say(f"{options.target}: {count} knobs of {', '.join(tuned)}; {options.trials} points of {options.runs} runs")
        bench = Bench(control, url, engine.pid, options.target, tuned, knobs, requests, options.load, options.runs)
        journal, name = repository.root / FOLDER / JOURNAL, study_name(options, tuned, knobs)

        def score(point: Point) -> Score:
            if engine.pid is None:
                raise TritonCrashedError("Triton has ended, most likely for the last point; the same command goes on after that one")
            return bench.score(point)

        profile, tried = search(score, knobs, options.goal, options.trials, journal, name, progress)
        found = _confirmed(bench, options.goal, Tuned(profile, tuple(tried), left), say)
        return replace(found, others_share=bench.others_share)


def _knobs(options: TuneOptions, configs: Mapping[str, ModelConfig], own: Mapping[str, bool]) -> dict[str, list[Knob]]:
    """Of every model that is reached and no ensemble; `own` are those reached, and whether batches are made by us there."""
    found = {}
    for name, config in configs.items():
        if name in own and not config.HasField("ensemble_scheduling"):
            least = least_batch(configs, name)
            found[name] = knobs_for(config, options.cores, native=not own[name], least_batch=least, precisions=options.precisions)
    if options.precisions and not any(knob.name == "precision" for each in found.values() for knob in each):
        raise ConfigError(
            f"no model of {options.target} can change its precision with the profile {options.profile}; leave out --precision"
        )
    return found


def _confirmed(bench: Bench, goal: Goal, found: Tuned, say: Callable[[str], None]) -> Tuned:
    """The same, with the best of the points that are better than the profile once more."""
    for candidate in ranked(found.tried, found.profile, goal)[:FINALISTS]:
        say("comparing the best point with the profile, in turns")
        turns = bench.compare(candidate.point)
        gains = tuple(goal.gain(one, other) for one, other in turns)
        ours, theirs = (median_of(side) for side in zip(*turns, strict=True))
        if goal.kept(ours, theirs) and (min(gains) > 1 or not goal.kept(theirs, theirs)):
            return replace(found, best=candidate, turns=tuple(turns), gains=gains, configs=bench.configured(candidate.point))
        say(f"it was {min(gains):.2f} to {max(gains):.2f} times as good, p95 {ours.p95_ms:.0f} ms: not better for certain")
    return found


def write_tuned(options: TuneOptions, tuned: Tuned, title: str) -> list[Path]:
    """Write configs/<name>.pbtxt of every model that was tuned, and of the other networks as the profile has them; returns the files."""
    repository = options.repository
    others = [folder.name for folder in repository.models() if folder.parent == repository.networks and folder.name not in tuned.configs]
    configs = {**{name: profile_config(repository.model(name), options.profile) for name in others}, **tuned.configs}
    files = []
    for model, config in sorted(configs.items()):
        file = repository.model(model) / "configs" / f"{options.name}.pbtxt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"# {title}\n{render_config(config)}", encoding="utf-8")
        files.append(file)
    return files
