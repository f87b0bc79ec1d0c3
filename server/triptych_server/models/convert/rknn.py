"""The compiler for Rockchip's NPUs: rknn-toolkit2 in an environment of its own, half precision, checked in its PC simulator."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from triptych_server.errors import ConversionError
from triptych_server.hardware.needs.rknn import SOCS
from triptych_server.models.convert.agreement import HALF_PRECISION, Limits
from triptych_server.models.convert.convert import Compiled
from triptych_server.models.convert.environment import Environment, Recipe
from triptych_server.models.convert.older_opset import lower_opset
from triptych_server.models.convert.parts import Parts

TARGETS = SOCS
RECIPE = Recipe("rknn", gigabytes=1.6)
COMPILED = "model.rknn"
STAYS = {"clip_textual": "a query is one short run, which the processor does while the NPU sees pictures"}
_SCRIPT = Path(__file__).with_name("rknn_build.py")
_OPSET = 19  # the newest that rknn-toolkit2 2.5.0 reads
_PATIENCE = 3600.0  # seconds; ViT-B/32 takes half a minute, larger towers minutes


@dataclass(frozen=True, slots=True)
class RknnConverter:
    """Compiles for one SoC, `target`, as `rk3588`. Pixels are scaled by the NPU: the compiled network takes the bytes as they are."""

    environment: Environment
    target: str
    precision: str = "f16"
    limits: Limits = HALF_PRECISION
    stays: Mapping[str, str] = field(default_factory=lambda: dict(STAYS))

    def compile(self, parts: Parts, folder: Path, rows: NDArray[Any]) -> Compiled:
        """Compile the core into `model.rknn`, and ask the simulator what it gives for pictures uint8 [N,S,S,3]. ConversionError."""
        if parts.head is None:
            raise ConversionError("rknn takes networks that see pictures")
        lower_opset(parts.core, _OPSET)
        with tempfile.TemporaryDirectory(prefix="triptych-rknn-") as scratch:
            graph, pictures, outputs, job = (Path(scratch) / name for name in ("core.onnx", "rows.npy", "outputs.npz", "job.json"))
            onnx.save_model(parts.core, str(graph))
            np.save(pictures, rows)
            files = {"graph": graph, "pictures": pictures, "compiled": folder / COMPILED, "outputs": outputs}
            numbers = {"target": self.target, "mean": parts.head.mean, "std": parts.head.std}
            job.write_text(json.dumps({**numbers, **{name: str(file) for name, file in files.items()}}), "utf-8")
            printed = self.environment.run(_SCRIPT, [str(job)], timeout=_PATIENCE)
            with np.load(outputs) as found:
                arrays = [found[name] for name in found.files]
        return Compiled("rknn-toolkit2", printed.strip().rpartition("\n")[2], arrays)
