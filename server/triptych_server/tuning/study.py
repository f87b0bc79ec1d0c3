"""The name under which points are remembered: whatever makes them incomparable gives another one."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.benchmark.machine import describe_machine, describe_versions
from triptych_server.configs.read import render_config
from triptych_server.repository import Repository
from triptych_server.tuning.knobs import Knob

if TYPE_CHECKING:
    from triptych_server.tuning.tune import TuneOptions


def study_name(options: "TuneOptions", configs: Mapping[str, ModelConfig], knobs: Mapping[str, Sequence[Knob]]) -> str:
    """Points are comparable with those of an earlier search only where all of this is the same; the goal need not be."""
    machine, versions = describe_machine(), describe_versions()
    facts = {
        "target": options.target,
        "profile": options.profile,
        "load": [options.load.in_flight, options.load.seconds, options.runs],
        "knobs": {f"{model}.{knob.name}": list(knob.values) for model, own in knobs.items() for knob in own},
        "weights": [_stamp(options.repository, model) for model in knobs],
        "configs": [render_config(config) for config in configs.values()],
        "photos": [hashlib.sha256(photo).hexdigest() for photo in options.photos],
        "machine": [machine["cpu"], machine["cores"]],
        "versions": {name: version for name, version in versions.items() if name != "commit"},
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    return f"{options.target}-{options.profile}-{digest}"


def _stamp(repository: Repository, model: str) -> list[int]:
    graph = repository.model(model) / "1" / "model.onnx"
    return [graph.stat().st_size, graph.stat().st_mtime_ns] if graph.is_file() else []
