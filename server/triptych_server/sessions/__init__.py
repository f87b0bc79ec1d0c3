"""Sessions: one small protocol over every inference runtime, one file per runtime."""

from triptych_server.sessions.protocol import Arrays, Device, Session, SessionSettings, TensorSpec

__all__ = ["Arrays", "Device", "Session", "SessionSettings", "TensorSpec"]
