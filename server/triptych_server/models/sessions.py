"""onnxruntime on the CPU for the import's own runs: a graph in, a session out, with nothing printed on the way."""

from pathlib import Path

import onnxruntime
from onnx import ModelProto


def open_session(model: ModelProto | Path, *, optimise: bool = True) -> onnxruntime.InferenceSession:
    """A CPU session for a graph in memory (below 2 GB) or a file with its sidecars beside it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong with a graph comes as an exception
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def reason(error: Exception, source: Path | None = None) -> str:
    """What a runtime says is wrong, in one short line and without the folder of `source`."""
    text = str(error).replace(f"{source.parent}/", "") if source else str(error)
    return " ".join(text.split())[:300]
