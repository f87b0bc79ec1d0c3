"""OpenVINO's own benchmark_app: (graph, batch, hint) -> the inferences per second and latency the runtime gives by itself.

It feeds random tensors to the bare runtime, no server and no client in the way, so it is what a server is measured against.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx

Hint = Literal["throughput", "latency"]
PRECISIONS = {"bfloat16": "bf16", "float": "f32", "float32": "f32", "float16": "f16"}


@dataclass(frozen=True, slots=True)
class BenchmarkApp:
    """What one run reported. `throughput` counts images, not batches; `latency_ms` is the median of one batch."""

    throughput: float
    latency_ms: float
    precision: str
    streams: int

    @classmethod
    def parse(cls, text: str) -> "BenchmarkApp":
        """Read the report it prints; ValueError when a figure is missing."""
        precision = _find(r"INFERENCE_PRECISION_HINT: <Type: '(\w+)'>", text)
        return cls(
            throughput=float(_find(r"Throughput:\s+([\d.]+) FPS", text)),
            latency_ms=float(_find(r"Median:\s+([\d.]+) ms", text)),
            precision=PRECISIONS.get(precision, precision),
            streams=int(_find(r"NUM_STREAMS: (\d+)", text)),
        )


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"benchmark_app printed nothing that matches {pattern!r}; its last lines: {text[-400:]}")
    return found[1]


def run_benchmark_app(model: Path, batch: int, hint: Hint, seconds: int) -> BenchmarkApp:
    """Compile the graph for CPU at a fixed batch and drive it for about `seconds`.

    `model` is a served graph with one input `image` uint8 [?,S,S,3]; the fixed shape is the runtime's best case. The precision is left to
    OpenVINO, as the openvino profile leaves it, and is in the result, so that a caller can compare the two.
    """
    command = [_executable(), "-m", str(model), "-d", "CPU", "-hint", hint]
    side = onnx.load(model, load_external_data=False).graph.input[0].type.tensor_type.shape.dim[1].dim_value
    command += ["-shape", f"[{batch},{side},{side},3]", "-t", str(seconds)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120, check=False)
    if result.returncode:
        raise RuntimeError(f"benchmark_app ended with {result.returncode}: {(result.stderr or result.stdout)[-400:]}")
    return BenchmarkApp.parse(result.stdout)


def _executable() -> str:
    """The console script of this environment first: another environment's would be another OpenVINO."""
    beside = Path(sys.executable).with_name("benchmark_app")
    found = str(beside) if beside.is_file() else shutil.which("benchmark_app")
    if found is None:
        raise FileNotFoundError("benchmark_app is not installed; it comes with openvino: pip install '.[server]'")
    return found
