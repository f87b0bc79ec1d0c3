"""Measure a target from the runtime up: (running Triton, repository, target) -> Figures, one step after the other."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from tritonclient import grpc
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInput, ModelOutput
from tritonclient.utils import InferenceServerException

from triptych_server.benchmark.diagnosis.alone import Alone, Case, run_alone
from triptych_server.benchmark.diagnosis.figures import Figures, FirstStep, Network, Observed, Settings
from triptych_server.benchmark.diagnosis.prepared import is_prepared, row_bytes, shared_memory
from triptych_server.benchmark.diagnosis.steps import FIRST_STEPS, cpu_ms, first_step
from triptych_server.benchmark.diagnosis.watch import Server, observe
from triptych_server.configs.read import parameters_of
from triptych_server.engine.servable import all_needed, in_order
from triptych_server.errors import ConfigError, EngineError
from triptych_server.repository import Repository
from triptych_server.tuning.load import IMAGE, Inputs, Load, drawn_photo, requests_for

_PICTURES = 16
_IN_TURN = 3  # full batches in flight for each instance: one runs, one is ready, one is on its way
_TEXTS = 64  # of the many that are sent, for the CPU time of tokenising

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What to look at: a target on a running Triton that serves this repository with `profile`; `load` many in flight. `photos` are sent
    where pictures are taken; drawn ones when empty."""

    server: Server
    repository: Repository
    profile: str
    target: str
    load: Load
    photos: Sequence[bytes] = ()

    def run(self, say: Say) -> Figures:
        """Measure everything; EngineError when the target cannot be measured. `say` is told what comes next."""
        names = in_order(self.repository, all_needed(self.repository, self.target))
        configs = served_configs(self.server.url, names)
        photos = self.photos or [drawn_photo(np.random.default_rng(seed)) for seed in range(_PICTURES)]
        say(f"{self.target}, {self.load.in_flight} in flight, then one")
        requests = requests_for(configs[self.target], photos)
        many, lone = self._both(self.target, requests)
        sent = many.models[self.target].inferences
        each = {name: use.inferences / sent for name, use in many.models.items()}
        steps, networks = [], []
        for name in names:
            if name in FIRST_STEPS:
                steps.append(self._first_step(configs[name], photos, say))
            elif self.repository.model(name).parent == self.repository.networks:
                served = many.models[name].mean_batch if name in many.models else 0.0
                networks.append(self._network(configs[name], each.get(name, 0.0), served, say))
        known = {*FIRST_STEPS, *(network.settings.name for network in networks), self.target}
        others = tuple(settings_of(configs[name]) for name in names if name not in known)
        return Figures(self.target, self.server.cores, tuple(steps), tuple(networks), others, many, lone)

    def _both(self, model: str, requests: Sequence[Inputs]) -> tuple[Observed, Observed]:
        """Many in flight, then one; halves of the requests, for an answer may come from the cache the second time."""
        half = len(requests) // 2
        return (
            observe(self.server, model, requests[:half], self.load),
            observe(self.server, model, requests[half:], replace(self.load, in_flight=1)),
        )

    def _first_step(self, config: ModelConfig, photos: Sequence[bytes], say: Say) -> FirstStep:
        say(f"{config.name}: its function alone, then through gRPC")
        requests = requests_for(config, photos, seed=1)
        items = photos if any(tensor.name == IMAGE for tensor in config.input) else [_text(each) for each in requests[:_TEXTS]]
        spent = cpu_ms(first_step(config, self.repository.model(config.name)), items)
        return FirstStep(settings_of(config), self.server.cores, spent, *self._both(config.name, requests))

    def _network(self, config: ModelConfig, each: float, served_batch: float, say: Say) -> Network:
        say(f"{config.name}: the runtime alone, then in Triton")
        own, missing = settings_of(config), list[str]()
        rows = max(config.max_batch_size, 1)
        found = Network(own, each, _bytes(config.input), _bytes(config.output))
        batch = min(max(round(served_batch), 1), rows)
        try:
            full, single, served = self._alone(config, rows, batch)
            found = replace(found, full=full, single=single, as_served=served if served_batch else None)
        except EngineError as error:
            missing.append(str(error))
        if is_prepared(config):
            with contextlib.ExitStack() as regions:
                try:
                    whole = regions.enter_context(shared_memory(self.server.url, config, _IN_TURN * own.instances, rows))
                    ones = regions.enter_context(shared_memory(self.server.url, config, self.load.in_flight, 1))
                except EngineError as error:
                    missing.append(str(error))
                else:
                    slow = _IN_TURN * found.full.batch_ms / 1e3 if found.full else 0.0  # every batch in flight is answered once at least
                    load = replace(self.load, in_flight=_IN_TURN * own.instances, seconds=max(self.load.seconds, slow))
                    found = replace(
                        found,
                        backend=observe(self.server, own.name, whole.requests, load, rows, whole.outputs),
                        shared=observe(self.server, own.name, ones.requests, self.load, 1, ones.outputs),
                        shared_lone=observe(self.server, own.name, ones.requests, replace(self.load, in_flight=1), 1, ones.outputs),
                    )
        messages, messages_lone = self._both(own.name, requests_for(config))
        return replace(found, messages=messages, messages_lone=messages_lone, missing=tuple(missing))

    def _alone(self, config: ModelConfig, rows: int, served: int) -> list[Alone]:
        """Full batches, one row, and batches as the target makes them."""
        cases = [Case(rows, 0), Case(1, 1), Case(served, 0)]
        return run_alone(config, self.repository.model(config.name), self.profile, cases, self.load.seconds)


def served_configs(url: str, names: Sequence[str]) -> Mapping[str, ModelConfig]:
    """The configs that a running Triton serves these models with. EngineError when one is not there."""
    with grpc.InferenceServerClient(url) as client:
        try:
            return {name: client.get_model_config(name).config for name in names}
        except InferenceServerException as error:
            raise EngineError(f"the server at {url} does not serve all of {', '.join(names)}: {error.message()}") from None


def settings_of(config: ModelConfig) -> Settings:
    """What the sentences need of a config."""
    instances = sum(group.count * max(len(group.gpus), 1) for group in config.instance_group)
    delay = config.dynamic_batching.max_queue_delay_microseconds
    return Settings(config.name, config.backend, config.max_batch_size, max(instances, 1), delay, parameters_of(config))


def check_target(repository: Repository, target: str) -> None:
    """ConfigError when there is no such model."""
    known = [folder.name for folder in repository.models()]
    if target not in known:
        raise ConfigError(f"there is no model {target!r}; expected one of {', '.join(sorted(known))}")


def _bytes(tensors: Iterable[ModelInput | ModelOutput]) -> int:
    return sum(row_bytes(tensor) or 0 for tensor in tensors)


def _text(request: Inputs) -> bytes:
    """The text of a request for a tokenising model, as it travels: its length in four bytes first."""
    return bytes(request[0]._get_content()[4:])
