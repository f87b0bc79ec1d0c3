"""The four ways to a server: gRPC and HTTP, each for threads and for asyncio, behind two protocols."""

from triptych.transport.base import AsyncTransport, Connection, Transport, connect, connect_async

__all__ = ["AsyncTransport", "Connection", "Transport", "connect", "connect_async"]
