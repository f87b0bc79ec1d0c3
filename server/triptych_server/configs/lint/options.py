"""Rule: a backend's `parameters` are known to it, and what they and the accelerators say together makes sense to its session."""

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from triptych_server.configs.lint.accelerators import OURS_ALONE, accelerators
from triptych_server.configs.lint.finding import Finding
from triptych_server.configs.lint.subject import Everything, Subject
from triptych_server.configs.nearest import did_you_mean
from triptych_server.configs.read import parameters_of
from triptych_server.errors import ConfigError
from triptych_server.sessions import accelerator_parameters as tables
from triptych_server.sessions.onnxruntime_options import static_batches
from triptych_server.sessions.openvino_options import CompileOptions
from triptych_server.sessions.parameters import SERVING_KEYS, Parameters
from triptych_server.sessions.protocol import Accelerator, SessionSettings
from triptych_server.sessions.providers import choose_providers

CHECKS: dict[str, tuple[Callable[[SessionSettings], object], ...]] = {
    "onnxruntime": (choose_providers, static_batches),
    "openvino": (CompileOptions.from_settings,),
}
"""What a session itself asks of its settings before it needs its runtime."""


def options(subject: Subject, everything: Everything) -> Iterator[Finding]:
    """Typos first; contradictions where there are none."""
    backend, known = subject.config.backend, known_parameters(subject.config.backend)
    if known is None:
        return
    given = parameters_of(subject.config)
    unknown = sorted(given.keys() - known)
    for key in unknown:
        near = did_you_mean(key, known)
        yield subject.finding(f"parameters[{key}]", repr(key), f"a parameter of the {backend} backend", f"drop or rename it{near}")
    if subject.may_run_natively:
        for key in sorted(tables.ignored_natively(backend, given.keys() & known)):
            yield subject.finding(f"parameters[{key}]", repr(key), f"what Triton's own {backend} backend reads too", OURS_ALONE)
    if not unknown and not any(accelerators(subject, everything)):
        yield from _contradictions(subject)


def known_parameters(backend: str) -> frozenset[str] | None:
    """The `parameters` that our backend of this name takes; None where a model's own code reads them."""
    module = f"triptych_server.sessions.{backend}_options"
    if not backend.isidentifier() or importlib.util.find_spec(module) is None:
        return None
    known: frozenset[str] = importlib.import_module(module).KNOWN
    return known | SERVING_KEYS


def _contradictions(subject: Subject) -> Iterator[Finding]:
    settings = _settings(subject.config)
    for check in CHECKS.get(subject.config.backend, ()):
        try:
            check(settings)
        except ConfigError as error:
            found, _, mend = str(error).removeprefix(f"{subject.model}: ").partition("; ")
            expected, field = "settings that go together", next((f"parameters[{key}]" for key in settings.parameters if key in found), "")
            yield subject.finding(field or "parameters", found, expected, mend or "change one of them")


def _settings(config: ModelConfig) -> SessionSettings:
    """What a session would be opened with; the graph is not looked at."""
    given = config.optimization.execution_accelerators
    is_gpu = any(group.kind == ModelInstanceGroup.KIND_GPU for group in config.instance_group)
    return SessionSettings(
        model=config.name,
        graph=Path(config.default_model_filename or "model.onnx"),
        max_batch_size=config.max_batch_size,
        kind="GPU" if is_gpu else "CPU",
        parameters=Parameters(parameters_of(config)).without(*SERVING_KEYS),
        cpu_accelerators=tuple(Accelerator(each.name, Parameters(dict(each.parameters))) for each in given.cpu_execution_accelerator),
        gpu_accelerators=tuple(Accelerator(each.name, Parameters(dict(each.parameters))) for each in given.gpu_execution_accelerator),
    )
