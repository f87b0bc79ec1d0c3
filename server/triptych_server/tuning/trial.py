"""One point of the search on a running Triton: load the models that it changes, and measure."""

import contextlib
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import psutil
from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.benchmark.cpu import others_share_of
from triptych_server.engine.control import ControlApi
from triptych_server.tuning.knobs import Knob, Point, turned
from triptych_server.tuning.load import Inputs, Load, Measurement, measure

MIB = 1 << 20
PROFILE: Point = {}
"""The point at which every knob is as the profile has it."""


@dataclass(frozen=True, slots=True)
class Score:
    """The medians of several runs at one point, and the memory of Triton and its models in MiB (shared pages counted once)."""

    throughput: float
    p50_ms: float
    p95_ms: float
    refused: float
    memory_mib: float


@dataclass(slots=True)
class Bench:
    """A Triton to try points on, which nobody else needs. `configs` are the profile's, of the models whose `knobs` (by model) may be
    turned; `target` is the model that is asked, with `requests` under `load`; `url` is host:port of gRPC, `pid` Triton's.
    `others_share`: what processes that have nothing to do with it took of the machine, in the worst run."""

    control: ControlApi
    url: str
    pid: int
    target: str
    configs: Mapping[str, ModelConfig]
    knobs: Mapping[str, Sequence[Knob]]
    requests: Sequence[Inputs]
    load: Load
    runs: int = 3
    others_share: float = field(default=0.0, init=False)
    _loaded: dict[str, ModelConfig] = field(default_factory=dict, init=False)
    _sent: int = field(default=0, init=False)

    def configured(self, point: Point) -> dict[str, ModelConfig]:
        """The configs of all models at a point, whose knobs are named `model.knob`."""
        found = {}
        for model, config in self.configs.items():
            own = {name.removeprefix(f"{model}."): value for name, value in point.items() if name.startswith(f"{model}.")}
            found[model] = turned(config, self.knobs[model], own) if own else config
        return found

    def score(self, point: Point) -> Score:
        """Load the point and measure it. EngineError when it cannot be loaded or answers nothing."""
        self.turn(point)
        runs = [self._run() for _ in range(self.runs)]
        return median_score(runs, memory_mib(self.pid))

    def _run(self) -> Measurement:
        """Go on with the inputs where the last run ended: a text that comes again soon would be answered from Triton's cache."""
        begin = self._sent
        found, others = others_share_of(self.pid, lambda: measure(self.url, self.target, self.requests, self.load, first=begin))
        self._sent += found.sent
        self.others_share = max(self.others_share, others)
        return found

    def compare(self, point: Point) -> list[tuple[Score, Score]]:
        """A point and the profile, measured in turns, as many as there are runs: a machine that slows down slows both."""
        return [(self.score(point), self.score(PROFILE)) for _ in range(self.runs)]

    def turn(self, point: Point) -> None:
        """Load every model whose config at this point is not the one that is loaded."""
        for model, config in self.configured(point).items():
            if config != self._loaded.get(model, self.configs[model]):
                self._loaded.pop(model, None)  # not known, should this fail
                self.control.load(model, config)
                self._loaded[model] = config


def median_score(runs: Sequence[Measurement], memory: float) -> Score:
    """Each figure's median by itself."""
    return median_of([Score(run.throughput, run.p50_ms, run.p95_ms, run.refused, memory) for run in runs])


def median_of(scores: Sequence[Score]) -> Score:
    """Each figure's median by itself."""
    return Score(*(statistics.median(getattr(score, each.name) for score in scores) for each in fields(Score)))


def memory_mib(pid: int) -> float:
    """Proportional memory of a process and its children."""
    process = psutil.Process(pid)
    total = 0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += each.memory_full_info().pss
    return total / MIB
