"""Runs in the converter's environment, not in Triptych's: compiles a graph for an NPU, and asks Rockchip's simulator what it gives.

The job is JSON: `graph` (ONNX, batch 1), `target` (rk3588 ...), `mean` and `std` (of 0 to 255, one for each colour), `compiled` (written),
`pictures` (.npy, uint8 [N,S,S,3]) and `outputs` (.npz, written: each of the graph's outputs as float32, its rows in the pictures' order).
"""

import importlib.metadata
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rknn.api import RKNN


def main(file: Path) -> None:
    """Compile, simulate, print the toolkit's version as the last line."""
    job = json.loads(file.read_text("utf-8"))
    rknn = RKNN(verbose=False)
    call(rknn.config, "config", target_platform=job["target"], mean_values=[job["mean"]], std_values=[job["std"]])
    call(rknn.load_onnx, "load_onnx", model=job["graph"])
    call(rknn.build, "build", do_quantization=False)  # half precision
    call(rknn.export_rknn, "export_rknn", job["compiled"])
    call(rknn.init_runtime, "init_runtime")  # without a target: the simulator
    runs = [rknn.inference(inputs=[picture[None]], data_format=["nhwc"]) for picture in np.load(job["pictures"])]
    if any(run is None for run in runs):
        raise SystemExit("the simulator gave no outputs")
    rknn.release()
    np.savez(job["outputs"], *(np.concatenate(rows).astype(np.float32) for rows in zip(*runs, strict=True)))
    print(importlib.metadata.version("rknn-toolkit2"))


def call(step: Callable[..., Any], name: str, *arguments: Any, **options: Any) -> None:
    """Some failures of the toolkit are exceptions, some a number that is not 0."""
    if step(*arguments, **options) not in (0, None):
        raise SystemExit(f"rknn-toolkit2 failed at {name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
