"""Arm NN: a network converted by `triptych models convert`, through LiteRT and Arm NN's delegate on a Mali GPU."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from triptych_server.errors import DeviceError
from triptych_server.hardware.finding import Status
from triptych_server.hardware.machine import probe
from triptych_server.hardware.needs.armnn import armnn
from triptych_server.hardware.tree import Tree
from triptych_server.models.convert.record import Conversion
from triptych_server.sessions.armnn_delegate import make_delegate, opencl_problem
from triptych_server.sessions.armnn_network import COMPILED, LiteRtNetwork, litert
from triptych_server.sessions.armnn_options import GPU, ArmnnOptions
from triptych_server.sessions.converted import ConvertedSession
from triptych_server.sessions.engine_cache import engine_folder
from triptych_server.sessions.protocol import Device, Session, SessionSettings

TARGET = "armnn"
_ALLOWED = 'set allow_fallback: "true" to run without it'


def open_session(settings: SessionSettings) -> Session:
    """Open the conversion of a graph. ConfigError for options it cannot take and for a stale conversion, RuntimeMissingError without
    LiteRT, DeviceError where a backend of Arm NN that was asked for cannot run. With `allow_fallback` the other backends of the list
    take over, and without any, or without Arm NN, LiteRT's own XNNPACK.
    """
    options = ArmnnOptions.from_settings(settings)
    folder = settings.graph.parent / TARGET
    conversion = Conversion.current(folder, settings.graph)
    interpreters = litert()
    asked, problem = options.backends[0], ""
    if GPU in options.backends and (found := opencl_problem()):
        problem = _explained(settings.model, f"{GPU} was asked for, but {found}")
        if not settings.allow_fallback:
            raise DeviceError(f"{problem}; {_ALLOWED}")
        options = replace(options, backends=tuple(name for name in options.backends if name != GPU))
    if options.backends:
        try:
            networks = _delegated(settings, options, folder / COMPILED, conversion, interpreters)
            return ConvertedSession(settings, conversion, networks, _device(asked, options, networks[0].partitions, problem))
        except DeviceError as error:
            found = _explained(settings.model, str(error))
            if not settings.allow_fallback:
                raise DeviceError(f"{found}; {_ALLOWED}") from error
            problem = problem or found
    shapes = [output.shape for output in conversion.outputs]
    plain = [LiteRtNetwork(interpreters, folder / COMPILED, shapes, threads=options.threads or 1) for _ in range(options.interpreters)]
    return ConvertedSession(settings, conversion, plain, Device(asked, "CPU, LiteRT's XNNPACK", "f32", fallback=problem))


def _delegated(
    settings: SessionSettings, options: ArmnnOptions, compiled: Path, conversion: Conversion, interpreters: Any
) -> list[LiteRtNetwork]:
    """The interpreters, each with a delegate of its own. DeviceError; none is left open then."""
    options, cached = _with_files(settings, options)
    shapes = [output.shape for output in conversion.outputs]
    networks = list[LiteRtNetwork]()
    try:
        for _ in range(options.interpreters):
            delegate = make_delegate(interpreters, options.library, options.for_delegate(str(cached), saved=cached.exists()))
            threads = options.threads or 1  # of what Arm NN leaves to LiteRT
            networks.append(LiteRtNetwork(interpreters, compiled, shapes, delegate=delegate, threads=threads))
        if not networks[0].partitions:
            raise DeviceError("Arm NN took no part of the network; it logs why with logging_severity debug")
    except DeviceError:
        for network in networks:
            network.close()
        raise
    return networks


def _with_files(settings: SessionSettings, options: ArmnnOptions) -> tuple[ArmnnOptions, Path]:
    """The options with a tuning file in the user's cache where none is named, and the file for compiled kernels: one of each for a
    network in the precision that it has."""
    if GPU not in options.backends:
        return options, Path()
    folder = engine_folder(settings, TARGET)
    name = "f16" if options.fp16 else "f32"
    return replace(options, tuning_file=options.tuning_file or str(folder / f"{name}.tuning")), folder / f"{name}.anncache"


def _device(asked: str, options: ArmnnOptions, partitions: int, problem: str) -> Device:
    actual = f"Arm NN {','.join(options.backends)}, {partitions} {'part' if partitions == 1 else 'parts'}"
    return Device(asked, actual, "f16" if options.fp16 else "f32", fallback=problem)


def _explained(model: str, problem: str) -> str:
    """With what the doctor finds missing for this profile."""
    findings = [finding for finding in armnn(probe(Tree().root)) if finding.status is Status.MISSING]
    texts = [
        f"{finding.what}: {finding.found}, expected {finding.expected}" + f" ({finding.mend})" * bool(finding.mend) for finding in findings
    ]
    return "; ".join([f"{model}: {problem}", *texts])
