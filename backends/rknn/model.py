"""Triton backend `rknn`: config.pbtxt in, session of Rockchip's NPU runtime, tensors out."""

from triptych_server.serving.network import NetworkBackend
from triptych_server.sessions.protocol import Session, SessionSettings
from triptych_server.sessions.rknn import open_session


class TritonPythonModel(NetworkBackend):
    """The class that Triton's Python backend looks for."""

    def open(self, settings: SessionSettings) -> Session:
        """Open the conversion with this runtime."""
        return open_session(settings)
