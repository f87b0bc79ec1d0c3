"""Triton backend `onnxruntime` where Triton has no native one: config.pbtxt in, ONNX Runtime session, tensors out."""

from triptych_server.serving.network import NetworkBackend
from triptych_server.sessions.onnxruntime import open_session
from triptych_server.sessions.protocol import Session, SessionSettings


class TritonPythonModel(NetworkBackend):
    """The class that Triton's Python backend looks for."""

    def open(self, settings: SessionSettings) -> Session:
        """Open the graph with this runtime."""
        return open_session(settings)
