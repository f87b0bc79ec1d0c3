"""Tune a model or an ensemble on this machine: a Triton of its own, the search, a last comparison in turns, the config written."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.profiles import profile_names
from triptych_server.configs.read import DEFAULT_PROFILE, profile_config, render_config
from triptych_server.engine import Engine, EngineOptions
from triptych_server.engine.control import ControlApi
from triptych_server.engine.servable import all_needed, in_order
from triptych_server.errors import ConfigError
from triptych_server.repository import Repository
from triptych_server.repository_lock import FOLDER
from triptych_server.tuning.goal import Goal
from triptych_server.tuning.knobs import Knob, knobs_for
from triptych_server.tuning.load import Load, requests_for
from triptych_server.tuning.search import Progress, Tried, best, search
from triptych_server.tuning.trial import Bench, Score

JOURNAL = "tuning.journal"
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
    """The profile's score, every point, the best one (None: none keeps the limits, or is better) with its gain over the profile, and the
    configs at it, of every model that has knobs."""

    profile: Score
    tried: tuple[Tried, ...]
    best: Tried | None
    gain: float
    configs: Mapping[str, ModelConfig]


def tune(options: TuneOptions, say: Callable[[str], None], progress: Progress) -> Tuned:
    """Search; nothing is written but the journal. EngineError when the models cannot be served or measured as the profile has them."""
    repository = options.repository
    models = in_order(repository, all_needed(repository, options.target))
    configs = {name: profile_config(repository.model(name), options.profile) for name in models}
    tuned = {name: config for name, config in configs.items() if not config.HasField("ensemble_scheduling")}
    knobs = {
        name: knobs_for(config, options.cores, least_batch=_least(configs, name), precisions=options.precisions)
        for name, config in tuned.items()
    }
    count = sum(len(own) for own in knobs.values())
    say(f"{options.target}: {count} knobs of {', '.join(tuned)}; {options.trials} points of {options.runs} runs")
    with Engine(EngineOptions(repository, profile=options.profile, http_port=0, grpc_port=0, metrics_port=0)) as engine:
        assert engine.pid is not None
        bench = Bench(
            ControlApi(engine.http_url, engine.control_headers),
            engine.grpc_url.removeprefix("grpc://"),
            engine.pid,
            options.target,
            tuned,
            knobs,
            requests_for(configs[options.target], options.photos),
            options.load,
            options.runs,
        )
        with bench.kept():
            journal = repository.root / FOLDER / JOURNAL
            profile, tried = search(bench.score, knobs, options.goal, options.trials, journal, _study(options, knobs), progress)
            winner = best(tried, profile, options.goal)
            if winner is None:
                return Tuned(profile, tuple(tried), None, 1.0, {})
            say("comparing the best point with the profile, in turns")
            gain = options.goal.gain(*bench.compare(winner.point))
            return Tuned(profile, tuple(tried), winner, gain, bench.configured(winner.point))


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


def _least(configs: Mapping[str, ModelConfig], name: str) -> int:
    """The largest batch that an ensemble over a model takes: Triton wants the model to take it too."""
    above = [config.max_batch_size for config in configs.values() if name in {step.model_name for step in config.ensemble_scheduling.step}]
    return max(above, default=1)


def _study(options: TuneOptions, knobs: Mapping[str, Sequence[Knob]]) -> str:
    """Points are comparable with those of an earlier search only where all of this is the same."""
    facts = {
        "target": options.target,
        "profile": options.profile,
        "goal": [options.goal.objective, options.goal.p95_ms],
        "load": [options.load.in_flight, options.load.seconds, options.runs],
        "knobs": {f"{model}.{knob.name}": list(knob.values) for model, own in knobs.items() for knob in own},
        "weights": [_stamp(options.repository, model) for model in knobs],
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    return f"{options.target}-{options.profile}-{digest}"


def _stamp(repository: Repository, model: str) -> list[int]:
    graph = repository.model(model) / "1" / "model.onnx"
    return [graph.stat().st_size, graph.stat().st_mtime_ns] if graph.is_file() else []
