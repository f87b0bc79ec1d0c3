"""ONNX Runtime: open a graph with the execution providers that the config asks for, and make sure that they are what runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from triptych_server.errors import DeviceError, RuntimeMissingError
from triptych_server.sessions.onnxruntime_options import Provider, choose_providers, session_options
from triptych_server.sessions.protocol import Arrays, Device, SessionSettings, TensorSpec

DTYPES = {
    "tensor(uint8)": np.uint8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
}


class OnnxRuntimeSession:
    """One InferenceSession. Two callers are worth having: one runs on all threads while the other's batch is made ready."""

    concurrency = 2

    def __init__(self, settings: SessionSettings) -> None:
        ort = _onnxruntime()
        providers = choose_providers(settings)
        wanted, there = providers[0], ort.get_available_providers()
        _check_available(settings, wanted, there)
        self._session = ort.InferenceSession(
            str(settings.graph),
            session_options(ort, settings),
            providers=[(item.name, dict(item.options)) for item in providers if item.name in there],
        )
        self._running = threading.Lock()
        self.inputs = tuple(_spec(node) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(node) for node in self._session.get_outputs())
        self.device = _granted(settings, wanted, self._session.get_providers())
        self._names = [spec.name for spec in self.outputs]

    @contextmanager
    def run(self, feeds: Arrays) -> Iterator[Arrays]:
        """Run one batch; the session uses all its threads for it, so batches take turns."""
        with self._running:
            outputs = self._session.run(self._names, dict(feeds))
        yield dict(zip(self._names, outputs, strict=True))

    def close(self) -> None:
        """Drop the session."""
        del self._session


def open_session(settings: SessionSettings) -> OnnxRuntimeSession:
    """Open a graph with ONNX Runtime; ConfigError for options it cannot take, DeviceError when it would run elsewhere than asked."""
    return OnnxRuntimeSession(settings)


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise RuntimeMissingError("ONNX Runtime is not installed: pip install onnxruntime") from None
    return onnxruntime


def _spec(node: Any) -> TensorSpec:
    shape = tuple(dim if isinstance(dim, int) else None for dim in node.shape)
    return TensorSpec(node.name, np.dtype(DTYPES[node.type]), shape)


def _check_available(settings: SessionSettings, wanted: Provider, there: list[str]) -> None:
    """DeviceError when this build of ONNX Runtime does not carry the provider at all (unless a fallback was allowed)."""
    if wanted.name not in there and not settings.allow_fallback:
        raise DeviceError(
            f"{settings.model}: {wanted.name} was asked for, but this onnxruntime has only {', '.join(there)}; "
            f'{wanted.remedy}, or set allow_fallback: "true" to run on the CPU'
        )


def _granted(settings: SessionSettings, wanted: Provider, active: list[str]) -> Device:
    """What really runs: ONNX Runtime falls back to the CPU without a word, so the first active provider is the proof."""
    if active[0] == wanted.name:
        return Device(wanted.device, wanted.device, wanted.precision)
    reason = f"{wanted.name} was asked for, but onnxruntime runs {active[0]}"
    if not settings.allow_fallback:
        raise DeviceError(f'{settings.model}: {reason}; {wanted.remedy}, or set allow_fallback: "true" to run on the CPU')
    return Device(wanted.device, "CPU", "f32", fallback=reason)
