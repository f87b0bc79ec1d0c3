"""ONNX Runtime: open a graph with the execution providers that the config asks for, and make sure that they are what runs."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from triptych_server.errors import DeviceError, RuntimeMissingError
from triptych_server.sessions.compiler_release import migraphx_release, tensorrt_release
from triptych_server.sessions.engine_cache import discard_damaged, engine_folder
from triptych_server.sessions.graph_rewrites import rewritten_for_migraphx
from triptych_server.sessions.onnxruntime_options import session_options, static_batches
from triptych_server.sessions.protocol import Arrays, Device, SessionSettings, TensorSpec
from triptych_server.sessions.providers import CPU, CUDA, MIGRAPHX, TENSORRT, Provider, choose_providers
from triptych_server.sessions.static_batches import filled, size_for

BATCH = "batch"
"""The name that every served graph gives its batch axis."""

CUDA_LIBRARIES = (CUDA, TENSORRT)
"""Providers that need them."""

TIMINGS = "trt_timing_cache_path"
"""Of layers, not of graphs: one model learns from another."""

ENGINE_PREFIX = "trt_engine_cache_prefix"

CACHE_FOLDERS = {
    TENSORRT: {"trt_engine_cache_path": "trt_engine_cache_enable", TIMINGS: "trt_timing_cache_enable"},
    MIGRAPHX: {"migraphx_model_cache_dir": ""},
}
"""Options that name a folder for what was compiled, and the option that switches each on (none: it always is)."""

COMPILER_RELEASES = {TENSORRT: tensorrt_release, MIGRAPHX: migraphx_release}

SWITCHED_ON = {"1", "true", "True"}

DTYPES = {
    "tensor(uint8)": np.uint8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
}


class OnnxRuntimeSession:
    """One InferenceSession; or one for each of the batch sizes that a runtime compiles for. Two callers are worth having: one runs on
    all threads while the other's batch is made ready."""

    concurrency = 2

    def __init__(self, settings: SessionSettings) -> None:
        ort = _onnxruntime()
        providers = choose_providers(settings)
        wanted, there = providers[0], ort.get_available_providers()
        _check_available(settings, wanted, there)
        if wanted.name in CUDA_LIBRARIES and wanted.name in there:
            ort.preload_dlls()  # of CUDA and cuDNN that came as Python packages
        self._sizes = static_batches(settings)
        given = [(item.name, _with_cache(item, settings, ort.__version__)) for item in providers if item.name in there]
        with _prepared(settings.graph, given[0][0]) as graph:
            self._sessions = {size: _open_whole(ort, settings, graph, given, size) for size in self._sizes or (None,)}
        first = next(iter(self._sessions.values()))
        self._running = threading.Lock()
        self.inputs, self.outputs = (tuple(map(self._spec, nodes)) for nodes in (first.get_inputs(), first.get_outputs()))
        self.device = _granted(settings, providers, first.get_providers())
        self._names = [spec.name for spec in self.outputs]

    @contextmanager
    def run(self, feeds: Arrays) -> Iterator[Arrays]:
        """Run one batch; the session uses all its threads for it, so batches take turns."""
        rows = len(next(iter(feeds.values())))
        size = size_for(rows, self._sizes) if self._sizes else None
        batch = dict(feeds if size is None else filled(feeds, size))
        with self._running:
            outputs = self._sessions[size].run(self._names, batch)
        yield {name: output[:rows] for name, output in zip(self._names, outputs, strict=True)}

    def close(self) -> None:
        """Drop the sessions."""
        del self._sessions

    def _spec(self, node: Any) -> TensorSpec:
        shape = tuple(dim if isinstance(dim, int) else None for dim in node.shape)
        return TensorSpec(node.name, np.dtype(DTYPES[node.type]), (None, *shape[1:]) if self._sizes else shape)


def _open(ort: Any, settings: SessionSettings, graph: Path, providers: list[tuple[str, dict[str, str]]], size: int | None) -> Any:
    """An InferenceSession, for one batch size where one is given."""
    options = session_options(ort, settings)
    if size is not None:
        options.add_free_dimension_override_by_name(BATCH, size)
        providers = [(name, _of_size(name, given, size)) for name, given in providers]
    session = ort.InferenceSession(str(graph), options, providers=providers)
    session.disable_fallback()  # else a provider that fails in a run is replaced by the CPU without a word
    return session


def _open_whole(ort: Any, settings: SessionSettings, graph: Path, providers: list[tuple[str, dict[str, str]]], size: int | None) -> Any:
    """As `_open`, without the engines that TensorRT cannot read. MIGraphX compiles anew by itself then."""
    while True:
        try:
            return _open(ort, settings, graph, providers, size)
        except Exception as error:  # onnxruntime has no common base class for its own errors
            if not discard_damaged(error):  # each time it is a file less
                raise


@contextmanager
def _prepared(graph: Path, provider: str) -> Iterator[Path]:
    """The file to open with a provider."""
    if provider == MIGRAPHX:
        with rewritten_for_migraphx(graph) as rewritten:
            yield rewritten
    else:
        yield graph


def _with_cache(provider: Provider, settings: SessionSettings, release: str) -> dict[str, str]:
    """The provider's options; what it compiles is kept in a folder of ours unless they name one."""
    options = dict(provider.options)
    wanted = [name for name, switch in CACHE_FOLDERS.get(provider.name, {}).items() if not switch or options.get(switch) in SWITCHED_ON]
    if missing := [name for name in wanted if name not in options]:
        compiler = COMPILER_RELEASES[provider.name]()
        folder = engine_folder(settings, f"{provider.short_name}-{compiler}-onnxruntime-{release}")
        options.update({name: str(folder.parent if name == TIMINGS else folder) for name in missing})
    return options


def _of_size(provider: str, options: dict[str, str], size: int) -> dict[str, str]:
    """TensorRT names the file of an engine by the graph, not by its shapes: each size gets a name of its own."""
    return {ENGINE_PREFIX: f"batch{size}", **options} if provider == TENSORRT else options


def open_session(settings: SessionSettings) -> OnnxRuntimeSession:
    """Open a graph with ONNX Runtime; ConfigError for options it cannot take, DeviceError when it would run elsewhere than asked."""
    return OnnxRuntimeSession(settings)


def _onnxruntime() -> Any:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # its Linux builds report to their maker from 1.31 on; nobody was asked
    try:
        import onnxruntime
    except ImportError:
        raise RuntimeMissingError("ONNX Runtime is not installed: pip install onnxruntime") from None
    return onnxruntime


def _check_available(settings: SessionSettings, wanted: Provider, there: list[str]) -> None:
    """DeviceError when this build of ONNX Runtime does not carry the provider at all (unless a fallback was allowed)."""
    if wanted.name not in there and not settings.allow_fallback:
        raise DeviceError(
            f"{settings.model}: {wanted.name} was asked for, but this onnxruntime has only {', '.join(there)}; "
            f'{wanted.remedy}, or set allow_fallback: "true" to run on the CPU'
        )


def _granted(settings: SessionSettings, providers: Sequence[Provider], active: list[str]) -> Device:
    """What really runs: ONNX Runtime falls back without a word, so the first active provider is the proof."""
    wanted = providers[0]
    if active[0] == wanted.name:
        return Device(wanted.device, wanted.device, wanted.precision)
    reason = f"{wanted.name} was asked for, but onnxruntime runs {active[0]}"
    if not settings.allow_fallback:
        raise DeviceError(f'{settings.model}: {reason}; {wanted.remedy}, or set allow_fallback: "true" to run on the CPU')
    actual = next((provider for provider in providers if provider.name == active[0]), CPU)
    return Device(wanted.device, actual.device, actual.precision, fallback=reason)
