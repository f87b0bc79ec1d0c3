"""Served graphs made ready for runtimes that take no ONNX: model.onnx in, the compiled network and what goes with it out."""
