"""RKNN: a network compiled by `triptych models convert`, on the NPU of a Rockchip SoC, rows of a batch side by side on its cores."""

from functools import partial
from typing import Any

from triptych_server.errors import DeviceError
from triptych_server.hardware.drm import probe_accel_nodes, probe_render_nodes
from triptych_server.hardware.finding import describe_missing
from triptych_server.hardware.machine import probe
from triptych_server.hardware.needs.rknn import SOCS, rknn
from triptych_server.hardware.rockchip import probe_rockchip
from triptych_server.hardware.tree import Tree
from triptych_server.models.convert.record import Conversion
from triptych_server.sessions import onnxruntime
from triptych_server.sessions.converted import ConvertedSession
from triptych_server.sessions.protocol import Device, Session, SessionSettings
from triptych_server.sessions.rknn_context import RknnContext, rknn_lite
from triptych_server.sessions.rknn_options import RknnOptions
from triptych_server.sessions.runners import open_runners

REQUESTED, PRECISION = "RKNPU", "f16"
COMPILED = "model.rknn"


def _open(settings: SessionSettings, soc: str, lite: Any) -> ConvertedSession:
    """The conversion for this SoC, with a context for each of the masks."""
    options = RknnOptions.from_settings(settings, soc)
    folder = settings.graph.parent / soc
    conversion = Conversion.current(folder, settings.graph, COMPILED)
    shapes = [output.shape for output in conversion.outputs]
    contexts = open_runners(conversion, [partial(RknnContext, lite, folder / COMPILED, mask, shapes) for mask in options.masks])
    return ConvertedSession(settings, conversion, contexts, Device(REQUESTED, _describe(soc, contexts[0]), PRECISION))


def open_session(settings: SessionSettings) -> Session:
    """Open the conversion of a graph for this board's SoC. ConfigError for options it cannot take and for a stale conversion,
    RuntimeMissingError without Rockchip's package, DeviceError where there is no such NPU or it cannot be used; with `allow_fallback`
    these two run the graph itself on the processor instead.
    """
    try:
        lite = rknn_lite()
        tree = Tree()
        soc = _soc(settings.model, tree)
        try:
            return _open(settings, soc, lite)
        except DeviceError as error:
            raise DeviceError("; ".join([f"{settings.model}: {error}", *_problems(tree)])) from error
    except DeviceError as error:
        if not settings.allow_fallback:
            raise
        session = onnxruntime.open_session(SessionSettings(settings.model, settings.graph, settings.max_batch_size))
        session.device = Device(REQUESTED, "CPU", "f32", fallback=str(error))
        return session


def _soc(model: str, tree: Tree) -> str:
    """As `rk3588`; DeviceError where it is another, or hidden."""
    soc = probe_rockchip(tree, probe_render_nodes(tree), probe_accel_nodes(tree)).soc
    if soc in SOCS:
        return soc
    allowed = 'set allow_fallback: "true" to run on the CPU'
    raise DeviceError("; ".join([f"{model}: an NPU of Rockchip was asked for", *_problems(tree), allowed]))


def _problems(tree: Tree) -> list[str]:
    """What the doctor finds missing for this profile, each with how to mend it."""
    return describe_missing(rknn(probe(tree.root))) or ["`triptych doctor --profile rknn` finds nothing missing"]


def _describe(soc: str, context: RknnContext) -> str:
    runtime, driver = context.versions()
    known = [f"{name} {value}" for name, value in (("driver", driver), ("runtime", runtime)) if value]
    return ", ".join([f"{soc.upper()} NPU", *known])
