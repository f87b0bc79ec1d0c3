"""Arm NN: a network converted by `triptych models convert`, through LiteRT and Arm NN's delegate on a Mali GPU."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from triptych_server.errors import DeviceError
from triptych_server.hardware.finding import describe_missing
from triptych_server.hardware.machine import probe
from triptych_server.hardware.needs.armnn import armnn
from triptych_server.hardware.tree import Tree
from triptych_server.models.convert.record import Conversion
from triptych_server.sessions.armnn_delegate import lacking_backends, make_delegate
from triptych_server.sessions.armnn_files import kernels_file, kernels_kept_in, with_tuning_file
from triptych_server.sessions.armnn_network import COMPILED, LiteRtNetwork, litert
from triptych_server.sessions.armnn_options import ArmnnOptions
from triptych_server.sessions.converted import ConvertedSession
from triptych_server.sessions.protocol import Device, Session, SessionSettings
from triptych_server.sessions.runners import open_runners

TARGET = "armnn"


def open_session(settings: SessionSettings) -> Session:
    """Open the conversion of a graph. ConfigError for options it cannot take and for a stale conversion, RuntimeMissingError without
    LiteRT, DeviceError where a backend of Arm NN that was asked for cannot run. With `allow_fallback` the other backends of the list
    take over, and without any, or without Arm NN, LiteRT's own XNNPACK.
    """
    options = ArmnnOptions.from_settings(settings)
    compiled = settings.graph.parent / TARGET / COMPILED
    conversion = Conversion.current(compiled.parent, settings.graph, COMPILED)
    interpreters = litert()
    try:
        networks, device = _delegated(settings, options, compiled, conversion, interpreters)
    except DeviceError as error:
        problem = _explained(settings.model, str(error))
        if not settings.allow_fallback:
            raise DeviceError(f'{problem}; set allow_fallback: "true" to run without it') from error
        threads = options.threads or max(len(os.sched_getaffinity(0)) // options.interpreters, 1)
        make = partial(LiteRtNetwork, interpreters, compiled, _shapes(conversion), threads=threads)
        networks = open_runners(conversion, [make] * options.interpreters)
        device = Device(options.backends[0], "CPU, LiteRT's XNNPACK", "f32", fallback=problem)
    return ConvertedSession(settings, conversion, networks, device)


def _delegated(
    settings: SessionSettings, options: ArmnnOptions, compiled: Path, conversion: Conversion, interpreters: Any
) -> tuple[list[LiteRtNetwork], Device]:
    """The interpreters, each with a delegate of its own, and what they run on. DeviceError; none is left open then."""
    options = with_tuning_file(settings, options)
    lacking = lacking_backends(interpreters, options)
    problem = "; ".join(dict.fromkeys(lacking.values()))
    usable = replace(options, backends=tuple(name for name in options.backends if name not in lacking))
    if problem and not (usable.backends and settings.allow_fallback):
        raise DeviceError(problem)
    kernels = kernels_file(settings, usable)

    def make() -> LiteRtNetwork:
        with kernels_kept_in(kernels) as (file, save):
            delegate = make_delegate(interpreters, usable.library, usable.for_delegate(file, save=save))
            network = LiteRtNetwork(interpreters, compiled, _shapes(conversion), delegate=delegate, threads=usable.threads or 1)
        if not network.taken:
            network.close()
            raise DeviceError("Arm NN took no part of the network; it logs why with logging_severity debug")
        return network

    networks = open_runners(conversion, [make] * usable.interpreters)
    actual = f"Arm NN {','.join(usable.backends)}, {networks[0].taken} of {networks[0].operators} operators"
    fallback = _explained(settings.model, problem) if problem else ""
    return networks, Device(options.backends[0], actual, usable.precision, fallback=fallback)


def _shapes(conversion: Conversion) -> list[tuple[int, ...]]:
    return [output.shape for output in conversion.outputs]


def _explained(model: str, problem: str) -> str:
    """With what the doctor finds missing for this profile."""
    return "; ".join([f"{model}: {problem}", *describe_missing(armnn(probe(Tree().root)))])
