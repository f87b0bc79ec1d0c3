"""What a user may choose about the engine."""

import ipaddress
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from triptych_server.configs.overrides import Overrides
from triptych_server.configs.profiles import check_profile, profile_names
from triptych_server.configs.read import DEFAULT_PROFILE
from triptych_server.engine.server_tls import ServerTLS
from triptych_server.errors import EngineError
from triptych_server.hardware.recommend import AUTO, recommended_profile
from triptych_server.repository import Repository

HTTP_PORT, GRPC_PORT, METRICS_PORT = 8000, 8001, 8002
LOOPBACK = "127.0.0.1"
_KEY = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How to run Triton. A port of 0 is any free one. Sizes are in bytes, times in seconds. The profile `auto` becomes the one
    that is recommended for this machine; `overrides` are laid over its configs.

    `triton` names a Triton (its folder or its binary) instead of the one that would be found. The control, logging and trace
    APIs are closed to requests that do not carry `control_key` (None: a random one), on loopback too: any web page that a browser of
    this machine shows can send requests there. So is that of shared memory, unless `client_shared_memory` opens it.

    Models that nobody asked for in `model_ttl` seconds are unloaded until somebody does; 0: they stay.

    With `tls` the network sees gRPC alone, encrypted: Triton's HTTP and metrics cannot be, and stay on loopback.
    """

    repository: Repository
    profile: str = DEFAULT_PROFILE
    overrides: Overrides = field(default_factory=Overrides)
    host: str = LOOPBACK
    http_port: int = HTTP_PORT
    grpc_port: int = GRPC_PORT
    metrics_port: int = METRICS_PORT
    triton: Path | None = None
    cache_bytes: int = 64 << 20
    log_file: Path | None = None
    log_bytes: int = 8 << 20
    log_verbose: bool = False
    start_timeout: float = 1800.0  # for all attempts and models: the first start with TensorRT or MIGraphX compiles every network
    stop_timeout: int = 10
    control_key: str | None = field(default=None, repr=False)
    client_shared_memory: bool = False
    tls: ServerTLS | None = None
    model_ttl: float = 0.0

    def __post_init__(self) -> None:
        if self.triton is not None:
            object.__setattr__(self, "triton", self.triton.absolute())  # it runs in another folder
        if self.profile == AUTO:
            object.__setattr__(self, "profile", recommended_profile(profile_names(self.repository)))
        check_profile(self.repository, self.profile)
        _ = self.is_local  # says what is wrong with the host
        if self.control_key is not None and not _KEY.fullmatch(self.control_key):
            raise EngineError("the control key has characters that Triton's options or a header cannot carry; expected A-Z a-z 0-9 . _ -")
        ports = {"http_port": self.http_port, "grpc_port": self.grpc_port, "metrics_port": self.metrics_port}
        for name, port in ports.items():
            if not 0 <= port < 1 << 16:
                raise EngineError(f"{name} is {port}; expected 0 (any free port) to 65535")
        if self.model_ttl and not (math.isfinite(self.model_ttl) and self.model_ttl >= 1):
            raise EngineError(f"model_ttl is {self.model_ttl:g} s; expected 0 (models stay loaded), or a second or more")
        chosen = [port for port in ports.values() if port]
        if len(set(chosen)) != len(chosen):
            raise EngineError(f"two services on one port: {ports}")

    @property
    def plain_host(self) -> str:
        """Where HTTP and metrics are bound to, which have no TLS."""
        return self.host if self.tls is None else LOOPBACK

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            raise EngineError(f"host is {self.host!r}; expected an IP address to bind to, such as 127.0.0.1 or 0.0.0.0") from None
