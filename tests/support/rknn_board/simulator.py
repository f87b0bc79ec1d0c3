"""Runs in the converter's environment: builds the core in a folder, then answers rows that come through a socket until that closes."""

import json
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from rknn.api import RKNN


def main(folder, descriptor):
    connection = Connection(descriptor)
    job = json.loads((folder / "core.json").read_text())
    rknn = RKNN(verbose=False)
    rknn.config(target_platform=job["target"], mean_values=[job["mean"]], std_values=[job["std"]])
    steps = rknn.load_onnx(model=str(folder / "core.onnx")), rknn.build(do_quantization=False), rknn.init_runtime()
    connection.send(steps == (0, 0, 0))
    while True:
        try:
            shape, data = connection.recv()
        except (EOFError, ConnectionError):
            return
        found = rknn.inference(inputs=[np.frombuffer(data, np.uint8).reshape(shape)], data_format=["nhwc"])
        connection.send([(array.shape, np.asarray(array, np.float32).tobytes()) for array in found])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
