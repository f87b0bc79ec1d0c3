"""Figures of a machine of two cores on which every step reaches what it could, and ways to change some of them."""

from dataclasses import replace

from triptych_server.benchmark.diagnosis.alone import Alone
from triptych_server.benchmark.diagnosis.figures import Figures, FirstStep, Machine, Network, Observed, Settings
from triptych_server.benchmark.triton_stats import ModelUse

PRE, VISUAL = "clip_preprocess", "clip_visual"


def use(batch, queue=1.0, compute=20.0):
    return ModelUse(100, batch, queue, compute, 100)


def machine(idle=0.02, others=0.0, waiting=0.3, cpu=None):
    return Machine({PRE: 20.0, VISUAL: 46.0} if cpu is None else cpu, idle, others, waiting)


def observed(rate, p50=46.0, client=0.1, in_flight=16, models=None, **more):
    models = {PRE: use(8.0), VISUAL: use(15.0)} if models is None else models
    return Observed(in_flight, rate, p50, 2 * p50, 0.0, client, models, more.get("machine", machine()))


def alone(batch, rate, batch_ms=27.0, cpu=None, device="CPU", others=0.0):
    return Alone(batch, rate, batch_ms, 2000 / rate if cpu is None else cpu, device, "bf16", others)


def figures():
    """Decoding takes a third of the work, so that neither part leads."""
    pre = Settings(PRE, "python", 16, 1, 0, {"threads": "0"})
    visual = Settings(VISUAL, "openvino", 16, 1, 0, {"PERFORMANCE_HINT": "LATENCY"})
    step = FirstStep(pre, 2, 20.0, observed(98.0, 21.0), observed(45.0, 21.0))
    network = Network(
        visual,
        1.0,
        150_528,
        2048,
        full=alone(16, 44.0, 360.0),
        single=alone(1, 37.0, 27.0, cpu=50.0),
        as_served=alone(15, 43.9),
        backend=observed(43.5),
        shared=observed(43.0),
        shared_lone=observed(36.0, 27.5),
        messages=observed(42.0),
        messages_lone=observed(35.0, 28.5),
    )
    return Figures("search_image", 2, (step,), (network,), (), observed(29.0), observed(20.0, p50=46.0))


def changed(made, *, visual=None, settings=None, pre=None, pre_settings=None, **whole):
    """The figures with other ones for the network, the first step, their settings, or the whole."""
    network, step = replace(made.networks[0], **(visual or {})), replace(made.steps[0], **(pre or {}))
    network = replace(network, settings=replace(network.settings, **(settings or {})))
    step = replace(step, settings=replace(step.settings, **(pre_settings or {})))
    return replace(made, networks=(network,), steps=(step,), **whole)
