"""Triton backend `openvino` where Triton has no native one: config.pbtxt in, OpenVINO session, tensors out."""

from triptych_server.serving.network import NetworkBackend
from triptych_server.sessions.openvino import open_session
from triptych_server.sessions.protocol import Session, SessionSettings


class TritonPythonModel(NetworkBackend):
    """The class that Triton's Python backend looks for."""

    def open(self, settings: SessionSettings) -> Session:
        """Open the graph with this runtime."""
        return open_session(settings)
