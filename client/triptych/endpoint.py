"""A server's address: `grpc://host:port`, and what follows from the scheme."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from triptych.errors import InvalidInput

DEFAULT_URL = "grpc://127.0.0.1:8001"
METRICS_PORT = 8002
DEFAULT_PORTS = {"grpc": 8001, "grpcs": 8001, "http": 8000, "https": 443}  # 443: Triton's HTTP has no TLS, a proxy does


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server behind one protocol; `host` is without brackets, `path` is "" or "/prefix" (HTTP behind a proxy)."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @classmethod
    def parse(cls, url: str) -> "Endpoint":
        """`host`, `host:port` (both gRPC) or `scheme://host[:port]`; raises InvalidInput for anything else."""
        try:
            parts = urlsplit(url if "://" in url else f"grpc://{url}")
            port = parts.port
        except ValueError as error:
            raise InvalidInput(f"{url!r} is no server address: {error}") from None
        if parts.scheme not in DEFAULT_PORTS:
            raise InvalidInput(f"{url!r}: unknown scheme {parts.scheme!r}; use one of {', '.join(DEFAULT_PORTS)}")
        path = parts.path.rstrip("/")
        if not parts.hostname or parts.username or parts.query or parts.fragment:
            raise InvalidInput(f"{url!r} is no server address; write it like grpc://host:8001 or http://host:8000")
        if path and parts.scheme.startswith("grpc"):
            raise InvalidInput(f"{url!r}: gRPC has no path; leave out {path!r}")
        return cls(parts.scheme, parts.hostname, DEFAULT_PORTS[parts.scheme] if port is None else port, path)

    @property
    def grpc(self) -> bool:
        return self.scheme.startswith("grpc")

    @property
    def secure(self) -> bool:
        return self.scheme.endswith("s")

    @property
    def address(self) -> str:
        """`host:port`, an IPv6 host in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def metrics_url(self) -> str:
        """Where Triton publishes its metrics when nobody moved them: port 8002 of the same host, plain HTTP."""
        return f"http://{Endpoint('http', self.host, METRICS_PORT).address}/metrics"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.address}{self.path}"
