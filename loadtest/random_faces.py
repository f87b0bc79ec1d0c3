"""A face model of the usual size as a hub would give it: SCRFD-10G's and IResNet-50's layers with random weights.

Random weights find no faces. So the demo's small detector runs behind the large one and gives the answer; what the large
one says moves the picture's pixels by less than 1e-5, so that no runtime can leave it out.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper

from demo.faces.networks import WEIGHTS
from loadtest import convnets, graph_builder
from loadtest.convnets import iresnet_50, scrfd_10g_trace
from loadtest.made_models import made_model

INPUT = "input.1"


def random_faces(cache: Path, seed: int = 0) -> Path:
    """Write the folder under `cache`, or reuse an earlier run's. Layout: detection/model.onnx, recognition/model.onnx."""

    def write(folder: Path) -> None:
        for part, model in (("detection", with_locator(scrfd_10g_trace(seed), onnx.load(locator))), ("recognition", iresnet_50(seed + 1))):
            (folder / part).mkdir()
            onnx.save(model, folder / part / "model.onnx")

    locator = WEIGHTS / "detection" / "model.onnx"
    makers = [Path(__file__), Path(convnets.__file__), Path(graph_builder.__file__), locator]
    return made_model(cache, "random-faces", {"seed": seed}, makers, write)


def with_locator(detector: onnx.ModelProto, locator: onnx.ModelProto) -> onnx.ModelProto:
    """One detector that does the work of both and gives the answer of `locator`; `detector` gives `trace`, both take `input.1`."""
    large, small = (
        compose.add_prefix_graph(detector.graph, "large/"),
        compose.add_prefix_graph(locator.graph, "small/", rename_outputs=False),
    )
    nodes = [
        helper.make_node("Identity", [INPUT], [f"large/{INPUT}"], name="take"),
        *large.node,
        helper.make_node("Mul", ["large/trace", "weight"], ["weighted"], name="weigh"),
        helper.make_node("Add", [INPUT, "weighted"], [f"small/{INPUT}"], name="move"),
        *small.node,
    ]
    weights = [*large.initializer, *small.initializer, numpy_helper.from_array(np.array(1e-6, dtype=np.float32), "weight")]
    graph = helper.make_graph(nodes, "detector", list(locator.graph.input), list(locator.graph.output), weights)
    model = helper.make_model(graph, opset_imports=detector.opset_import, ir_version=detector.ir_version)
    onnx.checker.check_model(model)
    return model
