"""Runs in the converter's environment, not in Triptych's: makes a LiteRT network of a graph, and says what LiteRT answers on the processor.

The job is JSON: `graph` (ONNX, batch 1), `compiled` (written), `rows` (.npy, as the network takes them: float32 [N,S,S,3] or int32
[N,L]) and `outputs` (.npz, written: what the network gives, by the graph's names, in the network's own order; maps have the channels last).
"""

import importlib.metadata
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"  # before TensorFlow is imported

import numpy as np
import onnx
import onnx2tf
import onnxsim
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python.lite import TFLiteKerasModelConverterV2

SAMPLE = "calibration_image_sample_data_20x128x128x3_float32.npy"


def main(file: Path) -> None:
    """Convert, run, print the converter's version as the last line."""
    job = json.loads(file.read_text("utf-8"))
    np.save(SAMPLE, np.zeros((20, 128, 128, 3), np.float32))  # onnx2tf would download pictures for a quantisation that is not asked for
    skip_half_precision()
    graph, _ = onnxsim.simplify(onnx.load(job["graph"]))
    onnx.save(graph, "simple.onnx")
    onnx2tf.convert(
        input_onnx_file_path="simple.onnx",
        output_folder_path="made",
        not_use_onnxsim=True,  # done, and here without a program on the path
        replace_to_pseudo_operators=["erf"],  # LiteRT has none
        output_signaturedefs=True,  # which tell the graph's names
        verbosity="error",
    )
    shutil.copyfile("made/simple_float32.tflite", job["compiled"])
    np.savez(job["outputs"], **run(job["compiled"], np.load(job["rows"]), [value.name for value in graph.graph.output]))
    print(importlib.metadata.version("onnx2tf"))


def skip_half_precision() -> None:
    """onnx2tf makes a second network in float16, which takes as long as the first, and nothing here uses it."""
    whole = TFLiteKerasModelConverterV2.convert
    TFLiteKerasModelConverterV2.convert = lambda self: b"" if tf.float16 in self.target_spec.supported_types else whole(self)


def run(compiled: str, rows: np.ndarray[Any, Any], names: list[str]) -> dict[str, np.ndarray[Any, Any]]:
    """The outputs for each row, by their names in the graph, in the network's order."""
    network = Interpreter(compiled)
    network.allocate_tensors()
    given, details = network.get_input_details()[0], network.get_output_details()
    runs = []
    for row in rows:
        network.set_tensor(given["index"], row[None])
        network.invoke()
        runs.append([network.get_tensor(output["index"]) for output in details])
    arrays = [np.concatenate(found) for found in zip(*runs, strict=True)]
    return dict(zip(order(network, names), arrays, strict=True))


def order(network: Interpreter, names: list[str]) -> list[str]:
    """The names of the outputs, in the network's order."""
    if len(names) == 1:
        return names
    signature = network.get_signature_runner("serving_default").get_output_details()
    at = {details["index"]: name for name, details in signature.items()}
    found = [at[output["index"]] for output in network.get_output_details()]
    if sorted(found) != sorted(names):
        raise SystemExit(f"onnx2tf made the outputs {', '.join(found)}; expected {', '.join(names)}")
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
