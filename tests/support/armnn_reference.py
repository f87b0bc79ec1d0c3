"""Runs in a process of its own: a LiteRT file through Arm NN's reference backend (Debian's python3-pyarmnn), its outputs out.

Arguments: the file, rows (.npy), outputs (.npz, written, in the order of the network), and the folder that holds the package pyarmnn alone.
"""

import sys

import numpy as np


def main(network, rows, outputs, packages):
    sys.path.append(packages)
    import pyarmnn as ann

    runtime = ann.IRuntime(ann.CreationOptions())  # before the parser: it registers the backends
    parser = ann.ITfLiteParser()
    parsed = parser.CreateNetworkFromBinaryFile(network)
    graph = parser.GetSubgraphCount() - 1
    optimised, _ = ann.Optimize(parsed, [ann.BackendId("CpuRef")], runtime.GetDeviceSpec(), ann.OptimizerOptions())
    loaded, _ = runtime.LoadNetwork(optimised)
    bound = [parser.GetNetworkInputBindingInfo(graph, name) for name in parser.GetSubgraphInputTensorNames(graph)]
    made = ann.make_output_tensors([parser.GetNetworkOutputBindingInfo(graph, name) for name in parser.GetSubgraphOutputTensorNames(graph)])
    runtime.EnqueueWorkload(loaded, ann.make_input_tensors(bound, [np.load(rows)]), made)
    np.savez(outputs, *ann.workload_tensors_to_ndarray(made))


if __name__ == "__main__":
    main(*sys.argv[1:])
