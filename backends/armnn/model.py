"""Triton backend `armnn`: config.pbtxt in, session of LiteRT with Arm NN's delegate, tensors out."""

from triptych_server.serving.network import NetworkBackend
from triptych_server.sessions.armnn import open_session
from triptych_server.sessions.protocol import Session, SessionSettings


class TritonPythonModel(NetworkBackend):
    """The class that Triton's Python backend looks for."""

    def open(self, settings: SessionSettings) -> Session:
        """Open the conversion with this runtime."""
        return open_session(settings)
