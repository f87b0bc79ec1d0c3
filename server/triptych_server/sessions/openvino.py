"""OpenVINO: compile a graph for a device and make sure that it is what runs, in the precision that was asked for."""

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np

from triptych_server.errors import ConfigError, DeviceError, RuntimeMissingError
from triptych_server.sessions.openvino_options import CompileOptions
from triptych_server.sessions.openvino_runs import GatheredRows, WholeBatches, fix_to_one_row
from triptych_server.sessions.protocol import Arrays, Device, SessionSettings, TensorSpec


class OpenVinoSession:
    """One compiled model and its infer requests."""

    def __init__(self, settings: SessionSettings) -> None:
        core = _openvino().Core()
        options = CompileOptions.from_settings(settings)
        requested, missing = options.device, _missing_device(core, options.device)
        if missing:
            if not settings.allow_fallback:
                raise DeviceError(f'{settings.model}: {missing}; or set allow_fallback: "true" to run on the CPU')
            options = replace(options, device="CPU", auto_batch=0)
        model = core.read_model(settings.graph)
        self.inputs = tuple(_spec(port) for port in model.inputs)
        self.outputs = tuple(_spec(port) for port in model.outputs)
        if options.auto_batch:
            fix_to_one_row(model, settings.model)
        try:
            compiled = core.compile_model(model, options.device, dict(options.properties))
        except RuntimeError as error:
            raise _compile_error(settings.model, options, error) from None
        actual, precision = _execution_devices(compiled), _precision(compiled, options)
        reason = missing or _not_granted(options, actual, precision)
        if reason and not settings.allow_fallback:
            raise DeviceError(f'{settings.model}: {reason}, or set allow_fallback: "true"')
        self.device = Device(requested, actual, precision, fallback=reason)
        requests = _property(compiled, "OPTIMAL_NUMBER_OF_INFER_REQUESTS", int, default=1)
        self._runs = (
            GatheredRows(compiled, settings.model, options.auto_batch, requests) if options.auto_batch else WholeBatches(compiled, requests)
        )
        self.concurrency = self._runs.concurrency

    def run(self, feeds: Arrays) -> AbstractContextManager[Arrays]:
        """Run one batch, when an infer request is free."""
        return self._runs.run(feeds)

    def close(self) -> None:
        """Drop the infer requests and the compiled model."""
        self._runs.close()


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


def _precision(compiled: Any, options: CompileOptions) -> str:
    """The inference precision; AUTO and HETERO do not tell, then what was asked stands with a question mark."""
    told = _property(compiled, "INFERENCE_PRECISION_HINT", lambda value: value.to_string(), default="")
    names = {"bfloat16": "bf16", "float": "f32", "f32": "f32", "float16": "f16", "dynamic": "dynamic"}
    return names.get(told, told) or f"{options.precision or 'default'}?"


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
    if options.plain_device and actual.partition(".")[0] != options.plain_device.partition(".")[0]:
        return f"OpenVINO was asked for {options.device} but runs on {actual}; check the driver"
    if options.precision and precision not in {options.precision, f"{options.precision}?"}:
        return f"OpenVINO was asked for precision {options.precision} but runs {precision}; choose another INFERENCE_PRECISION_HINT"
    return ""


def _compile_error(model: str, options: CompileOptions, error: RuntimeError) -> Exception:
    reason = str(error).strip().splitlines()[-1].strip()
    if "nsupported property" in reason or "property" in reason.lower():
        return ConfigError(f"{model}: OpenVINO refused {dict(options.properties)} on {options.device}: {reason}")
    return DeviceError(f"{model}: OpenVINO could not compile for {options.device}: {reason}")
