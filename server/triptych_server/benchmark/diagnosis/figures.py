"""What was measured, as plain figures: the evidence from which shares and sentences are made."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from triptych_server.benchmark.diagnosis.alone import Alone
from triptych_server.benchmark.limits import Limits, Part
from triptych_server.benchmark.triton_stats import ModelUse

BUSY = 0.1
"""When others take more than this share of the machine, speeds say more about them than about the server."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the processes did during a load. `cpu_ms`: CPU milliseconds of one item by role (a model, `tritonserver`). `idle_share` and
    `others_share`: of all cores' time, what nothing and what unrelated processes used. `waiting`: seconds that ready threads of the server
    waited for a core, per CPU second that they got; None where the kernel does not tell."""

    cpu_ms: Mapping[str, float]
    idle_share: float
    others_share: float
    waiting: float | None


@dataclass(frozen=True, slots=True)
class Observed:
    """One load on one model. `rate`: items per second; `client_share`: of one core, what this client used (it has one thread for
    its work). `models`: what Triton counted for each model below; `machine`: None where the server runs elsewhere."""

    in_flight: int
    rate: float
    p50_ms: float
    p95_ms: float
    refused: float
    client_share: float
    models: Mapping[str, ModelUse] = field(default_factory=dict)
    machine: Machine | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What of a model's config the sentences speak about."""

    name: str
    backend: str
    max_batch_size: int
    instances: int
    queue_delay_us: int
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Network:
    """A network: the runtime alone (full batches, then one row at a time), then in Triton: full batches in shared memory, single rows in
    shared memory, single rows in messages; many and one in flight. None: could not be measured, and `missing` says why."""

    settings: Settings
    each: float  # rows for one request of the target
    request_bytes: int
    answer_bytes: int
    full: Alone | None = None
    single: Alone | None = None
    as_served: Alone | None = None  # at the mean batch that the target made
    backend: Observed | None = None
    shared: Observed | None = None
    shared_lone: Observed | None = None
    messages: Observed | None = None
    messages_lone: Observed | None = None
    missing: tuple[str, ...] = ()

    @property
    def on_cpu(self) -> bool:
        """Whether it computes on the cores that decode."""
        return self.full is None or self.full.on_cpu


@dataclass(frozen=True, slots=True)
class FirstStep:
    """A Python model that makes tensors of what clients send: the CPU time of its function alone, then the model through gRPC."""

    settings: Settings
    cores: int
    cpu_ms: float
    many: Observed
    lone: Observed

    @property
    def rate(self) -> float:
        """Items per second with every core at it and nothing else."""
        return 1e3 * self.cores / self.cpu_ms


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything about one target."""

    target: str
    cores: int
    steps: tuple[FirstStep, ...]
    networks: tuple[Network, ...]
    others: tuple[Settings, ...]  # Python models after the networks
    many: Observed
    lone: Observed

    @property
    def limits(self) -> Limits | None:
        """What the parts alone would allow; None when one of them could not be measured."""
        parts = [Part(step.rate, step.cpu_ms) for step in self.steps]
        for network in self.networks:
            if network.full is None or network.single is None:
                return None
            parts.append(Part(network.full.rate, network.single.batch_ms, network.each, network.on_cpu))
        return Limits.of_parts(parts) if parts else None

    @property
    def through_grpc(self) -> Limits | None:
        """What the parts reach through gRPC, one by one, would allow together."""
        parts = [Part(step.many.rate, step.lone.p50_ms) for step in self.steps]
        for network in self.networks:
            if network.messages is None or network.messages_lone is None:
                return None
            parts.append(Part(network.messages.rate, network.messages_lone.p50_ms, network.each, network.on_cpu))
        return Limits.of_parts(parts) if parts else None

    @property
    def cpu_ms(self) -> float | None:
        """CPU milliseconds that the parts alone take for one request; None when one of them could not be measured, or runs elsewhere."""
        if any(network.full is None or not network.on_cpu for network in self.networks):
            return None
        return sum(step.cpu_ms for step in self.steps) + sum(each.each * each.full.cpu_ms for each in self.networks if each.full)

    @property
    def reached(self) -> float | None:
        """The share of the limit in throughput; None where the limit is not known."""
        return self.many.rate / self.limits.throughput if self.limits else None

    @property
    def client_cpu_ms(self) -> float:
        """CPU milliseconds that this client spends on one request."""
        return 1e3 * self.many.client_share / self.many.rate

    @property
    def others_share(self) -> float:
        """What unrelated processes took of the machine, in the worst measurement."""
        machines = (seen.machine.others_share for seen in self._loads() if seen.machine)
        alone = (each.others_share for network in self.networks for each in (network.full, network.single, network.as_served) if each)
        return max((*machines, *alone), default=0.0)

    @property
    def is_quiet(self) -> bool:
        """Whether speeds can be compared."""
        return self.others_share <= BUSY

    @property
    def settings(self) -> list[Settings]:
        """Of all models below the target, in the order of the work."""
        return [*(step.settings for step in self.steps), *(network.settings for network in self.networks), *self.others]

    def _loads(self) -> Iterator[Observed]:
        yield from (self.many, self.lone)
        for step in self.steps:
            yield from (step.many, step.lone)
        for net in self.networks:
            yield from (each for each in (net.backend, net.shared, net.shared_lone, net.messages, net.messages_lone) if each)

    @property
    def is_ensemble(self) -> bool:
        """Whether the target is more than one network."""
        return len(self.steps) + len(self.networks) + len(self.others) > 1
