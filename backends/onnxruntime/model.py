"""Triton backend `onnxruntime` where Triton has no native one: config.pbtxt in, ONNX Runtime session, tensors out."""

from triptych_server.serving.network import NetworkBackend
from triptych_server.sessions.onnxruntime import open_session


class TritonPythonModel(NetworkBackend):
    """The class that Triton's Python backend looks for."""

    open_session = staticmethod(open_session)
