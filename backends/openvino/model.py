"""Triton backend `openvino` where Triton has no native one: config.pbtxt in, OpenVINO session, tensors out."""

from triptych_server.serving.network import NetworkBackend
from triptych_server.sessions.openvino import open_session


class TritonPythonModel(NetworkBackend):
    """The class that Triton's Python backend looks for."""

    open_session = staticmethod(open_session)
