"""The converter for Arm NN: onnx2tf in an environment of its own makes a float32 LiteRT network, checked by LiteRT on the processor."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from triptych_server.models.convert.agreement import Limits
from triptych_server.models.convert.armnn_rewrites import rewrite_for_armnn
from triptych_server.models.convert.convert import Compiled
from triptych_server.models.convert.environment import Environment, Recipe
from triptych_server.models.convert.older_opset import lower_opset
from triptych_server.models.convert.parts import Parts
from triptych_server.sessions.armnn_network import COMPILED, channels_first

TARGET = "armnn"
RECIPE = Recipe("armnn", gigabytes=2.6)
STAYS = {"clip_textual": "a query is one short run, which the processor does while the GPU sees pictures"}
FLOAT32 = Limits(cosine=0.99999, pixels=0.01, score=0.0001)
_SCRIPT = Path(__file__).with_name("armnn_build.py")
_OPSET = 19  # onnx2tf 1.29 knows newer ones in part
_PATIENCE = 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class ArmnnConverter:
    """Keeps float32: the delegate itself goes down to half precision where it is told to. Rows are scaled by the backend."""

    environment: Environment
    target: str = TARGET
    precision: str = "f32"
    limits: Limits = FLOAT32
    stays: Mapping[str, str] = field(default_factory=lambda: dict(STAYS))

    def compile(self, parts: Parts, folder: Path, rows: NDArray[Any]) -> Compiled:
        """Make `model.tflite` of the core, and ask LiteRT what it gives for pictures uint8 [N,S,S,3] or tokens int32 [N,L].

        The core's outputs are put into the order in which the network gives them. ConversionError.
        """
        lower_opset(parts.core, _OPSET)
        rewrite_for_armnn(parts.core)
        head = parts.head
        given = rows if head is None else np.ascontiguousarray(head.scale(rows).transpose(0, 2, 3, 1))
        with tempfile.TemporaryDirectory(prefix="triptych-armnn-") as scratch:
            graph, inputs, outputs, job = (Path(scratch) / name for name in ("core.onnx", "rows.npy", "outputs.npz", "job.json"))
            onnx.save_model(parts.core, str(graph))
            np.save(inputs, given)
            files = {"graph": graph, "rows": inputs, "compiled": folder / COMPILED, "outputs": outputs}
            job.write_text(json.dumps({name: str(file) for name, file in files.items()}), "utf-8")
            printed = self.environment.run(_SCRIPT, [str(job)], timeout=_PATIENCE)
            with np.load(outputs) as found:
                arrays = {name: channels_first(found[name]) for name in found.files}
        _reorder(parts, list(arrays))
        scaling = {} if head is None else {"mean": head.mean, "std": head.std}
        return Compiled("onnx2tf", printed.strip().rpartition("\n")[2], list(arrays.values()), **scaling)


def _reorder(parts: Parts, names: list[str]) -> None:
    values = {value.name: value for value in parts.core.graph.output}
    del parts.core.graph.output[:]
    parts.core.graph.output.extend(values[name] for name in names)
