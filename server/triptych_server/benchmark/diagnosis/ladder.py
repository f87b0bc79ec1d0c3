"""Figures -> the ladder: from the runtime alone up to the whole, each rung as a share of the one before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from triptych_server.benchmark.diagnosis.alone import Alone
from triptych_server.benchmark.diagnosis.figures import Figures, FirstStep, Network, Observed
from triptych_server.benchmark.limits import Limits


@dataclass(frozen=True, slots=True)
class Rung:
    """`rate`: items per second at saturation; `lone_ms`: of one that comes alone; `cpu_ms`: CPU time of one item at saturation, of all the
    server's processes. The shares are of the rung before: below 1 is slower, or takes more CPU time. None: not measured, or nothing
    before it."""

    part: str
    name: str
    rate: float | None
    lone_ms: float | None
    cpu_ms: float | None = None
    rate_share: float | None = None
    lone_share: float | None = None
    cpu_share: float | None = None


def ladder(figures: Figures) -> list[Rung]:
    """Every part by itself, then the whole."""
    rungs: list[Rung] = []
    for step in figures.steps:
        rungs += _shared(_step(step))
    for network in figures.networks:
        rungs += _shared(_network(network))
    return rungs + _shared(_whole(figures))


def summary(figures: Figures) -> str:
    """What of this machine's limit the whole reaches, in speed where the machine was quiet, and in CPU time."""
    sentences, limits, machine = [], figures.limits, figures.many.machine
    if limits is None or figures.reached is None:
        return f"The limit of {figures.target} is not known: a part of it could not be measured alone."
    if figures.is_quiet:
        sentences.append(
            f"{figures.target} reaches {figures.reached:.2f} of this machine's limit, {limits.throughput:.1f} per second with its parts "
            f"and nothing else, and {limits.latency_ms / figures.lone.p50_ms:.2f} of that of a lone request, {limits.latency_ms:.1f} ms."
        )
    if machine is not None and figures.cpu_ms is not None:
        spent = sum(machine.cpu_ms.values())
        sentences.append(
            f"A request takes {spent:.1f} ms of CPU in the server and {figures.client_cpu_ms:.1f} in this client; its parts alone take "
            f"{figures.cpu_ms:.1f}, {figures.cpu_ms / (spent + figures.client_cpu_ms):.2f} of that, and {machine.idle_share:.0%} of the "
            "cores are idle."
        )
    return " ".join(sentences)


def _step(step: FirstStep) -> list[Rung]:
    name = step.settings.name
    alone = Rung(name, f"its function alone, on {step.cores} cores", step.rate, step.cpu_ms, step.cpu_ms)
    return [alone, _observed(name, "through gRPC", step.many, step.lone)]


def _network(network: Network) -> list[Rung]:
    name, full, single = network.settings.name, network.full, network.single
    of = f"batches of {full.batch}" if full else "full batches"
    lone_in_triton = network.shared_lone.models[name].compute_ms if network.shared_lone and name in network.shared_lone.models else None
    alone = Rung(name, f"the runtime alone, {of}", _rate(full), single.batch_ms if single else None, full.cpu_ms if full else None)
    backend = Rung(name, f"the backend in Triton, {of}", _rate(network.backend), lone_in_triton, _cpu(network.backend))
    return [
        alone,
        backend,
        _observed(name, "single rows through gRPC, in shared memory", network.shared, network.shared_lone),
        _observed(name, "single rows through gRPC, in the messages", network.messages, network.messages_lone),
    ]


def _whole(figures: Figures) -> list[Rung]:
    if not figures.is_ensemble:
        return []
    return [
        _limits(figures.target, "the limit: its parts alone, nothing else", figures.limits, figures.cpu_ms),
        _limits(figures.target, "its parts through gRPC, one by one", figures.through_grpc, None),
        _observed(figures.target, "the whole", figures.many, figures.lone),
    ]


def _observed(part: str, name: str, many: Observed | None, lone: Observed | None) -> Rung:
    return Rung(part, name, _rate(many), lone.p50_ms if lone else None, _cpu(many))


def _limits(part: str, name: str, limits: Limits | None, cpu_ms: float | None) -> Rung:
    return Rung(part, name, limits.throughput if limits else None, limits.latency_ms if limits else None, cpu_ms)


def _rate(measured: Alone | Observed | None) -> float | None:
    return measured.rate if measured else None


def _cpu(observed: Observed | None) -> float | None:
    return sum(observed.machine.cpu_ms.values()) if observed and observed.machine else None


def _shared(rungs: Sequence[Rung]) -> list[Rung]:
    """With shares of the last rung before that was measured."""
    found: list[Rung] = []
    rate = lone = cpu = None
    for each in rungs:
        shares = _ratio(each.rate, rate), _ratio(lone, each.lone_ms), _ratio(cpu, each.cpu_ms)
        found.append(replace(each, rate_share=shares[0], lone_share=shares[1], cpu_share=shares[2]))
        rate, lone, cpu = each.rate or rate, each.lone_ms or lone, each.cpu_ms or cpu
    return found


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one and other else None
