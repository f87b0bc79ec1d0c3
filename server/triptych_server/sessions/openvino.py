"""OpenVINO: compile for a device, keep a few infer requests, run batches of any size without copying inputs or outputs."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from triptych_server.errors import ConfigError, DeviceError, RuntimeMissingError
from triptych_server.sessions.openvino_options import CompileOptions
from triptych_server.sessions.protocol import Arrays, Device, SessionSettings, TensorSpec


class OpenVinoSession:
    """One compiled model. `concurrency` is the device's optimal number of requests plus one that waits its turn inside
    the runtime, so that no stream idles while Python stacks the next batch and answers the last."""

    def __init__(self, settings: SessionSettings) -> None:
        ov = _openvino()
        options = CompileOptions.from_settings(settings)
        core = ov.Core()
        requested, missing = options.device, _missing_device(core, options.device)
        if missing:
            if not settings.allow_fallback:
                raise DeviceError(f'{settings.model}: {missing}; or set allow_fallback: "true" to run on the CPU')
            options = replace(options, device="CPU")
        model = core.read_model(settings.graph)
        try:
            self._compiled = core.compile_model(model, options.device, dict(options.properties))
        except RuntimeError as error:
            raise _compile_error(settings.model, options, error) from None
        self.inputs = tuple(_spec(port) for port in model.inputs)
        self.outputs = tuple(_spec(port) for port in model.outputs)
        actual, precision = _execution_devices(self._compiled), self._precision(options)
        reason = missing or _not_granted(options, actual, precision)
        if reason and not settings.allow_fallback:
            raise DeviceError(f'{settings.model}: {reason}, or set allow_fallback: "true"')
        self.device = Device(requested, actual, precision, fallback=reason)
        self.concurrency = _property(self._compiled, "OPTIMAL_NUMBER_OF_INFER_REQUESTS", int, default=1) + 1
        self._tensor = ov.Tensor
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.concurrency):
            self._idle.put(self._compiled.create_infer_request())

    @contextmanager
    def run(self, feeds: Arrays) -> Iterator[Arrays]:
        """Run one batch; waits for a free infer request. Outputs are views of its memory."""
        request = self._idle.get()
        try:
            for name, array in feeds.items():
                request.set_tensor(name, self._tensor(np.ascontiguousarray(array), shared_memory=True))
            request.infer()
            yield {spec.name: request.get_tensor(spec.name).data for spec in self.outputs}
        finally:
            self._idle.put(request)

    def close(self) -> None:
        """Drop the infer requests and the compiled model."""
        while not self._idle.empty():
            self._idle.get_nowait()
        del self._compiled

    def _precision(self, options: CompileOptions) -> str:
        """The inference precision; AUTO and HETERO do not tell, then what was asked stands with a question mark."""
        told = _property(self._compiled, "INFERENCE_PRECISION_HINT", lambda value: value.to_string(), default="")
        names = {"bfloat16": "bf16", "float": "f32", "f32": "f32", "float16": "f16", "dynamic": "dynamic"}
        return names.get(told, told) or f"{options.precision or 'default'}?"


def open_session(settings: SessionSettings) -> OpenVinoSession:
    """Open a graph with OpenVINO; ConfigError for options it cannot take, DeviceError when the device is not there."""
    return OpenVinoSession(settings)


def _openvino() -> Any:
    try:
        import openvino
    except ImportError:
        raise RuntimeMissingError("OpenVINO is not installed: pip install openvino") from None
    return openvino


def _spec(port: Any) -> TensorSpec:
    shape = tuple(None if dim.is_dynamic else dim.get_length() for dim in port.partial_shape)
    return TensorSpec(port.any_name, np.dtype(port.element_type.to_dtype()), shape)


def _property(compiled: Any, name: str, convert: Any, *, default: Any) -> Any:
    """A property of the compiled model, or the default where a virtual device (AUTO, HETERO) does not answer."""
    try:
        return convert(compiled.get_property(name))
    except RuntimeError:
        return default


def _execution_devices(compiled: Any) -> str:
    return ",".join(_property(compiled, "EXECUTION_DEVICES", list, default=["unknown"]))


def _missing_device(core: Any, device: str) -> str:
    """What is wrong with the device asked for, before OpenVINO's own error talks of plugins; empty when it is there."""
    there = core.available_devices
    wanted = device.rpartition(":")[2].split(",")
    for name in (item.split("(")[0].lstrip("-") for item in wanted):
        if name in {"AUTO", "HETERO", "MULTI", "BATCH", ""}:
            continue
        if not any(found == name or found.split(".")[0] == name for found in there):
            return (
                f"OpenVINO was asked for {device} but sees only {', '.join(there) or 'no device'}; install the driver of {name}, "
                "pass its device nodes into the container, or set TARGET_DEVICE"
            )
    return ""


def _not_granted(options: CompileOptions, actual: str, precision: str) -> str:
    """What was asked for and not given, of device and precision; empty when all was. AUTO and its like choose for themselves."""
    is_plain = ":" not in options.device and options.device not in {"AUTO", "HETERO", "MULTI"}
    if is_plain and actual.partition(".")[0] != options.device.partition(".")[0]:
        return f"OpenVINO was asked for {options.device} but runs on {actual}; check the driver"
    if options.precision and precision not in {options.precision, f"{options.precision}?"}:
        return f"OpenVINO was asked for precision {options.precision} but runs {precision}; choose another INFERENCE_PRECISION_HINT"
    return ""


def _compile_error(model: str, options: CompileOptions, error: RuntimeError) -> Exception:
    reason = str(error).strip().splitlines()[-1].strip()
    if "nsupported property" in reason or "property" in reason.lower():
        return ConfigError(f"{model}: OpenVINO refused {dict(options.properties)} on {options.device}: {reason}")
    return DeviceError(f"{model}: OpenVINO could not compile for {options.device}: {reason}")
