"""What a user may choose about the engine."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from triptych_server.configs.overrides import Overrides
from triptych_server.configs.profiles import check_profile, profile_names
from triptych_server.configs.read import DEFAULT_PROFILE
from triptych_server.errors import EngineError
from triptych_server.hardware.recommend import AUTO, recommended_profile
from triptych_server.repository import Repository

HTTP_PORT, GRPC_PORT, METRICS_PORT = 8000, 8001, 8002


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How to run Triton. A port of 0 is any free one. Sizes are in bytes, times in seconds. The profile `auto` becomes the one
    that is recommended for this machine; `overrides` are laid over its configs.

    `triton` names a Triton (its folder or its binary) instead of the one that would be found. The control,
    shared-memory, logging and trace APIs are closed to requests that do not carry `control_key`; None: they are open on
    loopback, and elsewhere the key is a random one.
    """

    repository: Repository
    profile: str = DEFAULT_PROFILE
    overrides: Overrides = field(default_factory=Overrides)
    host: str = "127.0.0.1"
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
    control_key: str | None = None

    def __post_init__(self) -> None:
        if self.profile == AUTO:
            object.__setattr__(self, "profile", recommended_profile(profile_names(self.repository)))
        check_profile(self.repository, self.profile)
        _ = self.is_local  # says what is wrong with the host
        ports = {"http_port": self.http_port, "grpc_port": self.grpc_port, "metrics_port": self.metrics_port}
        for name, port in ports.items():
            if not 0 <= port < 1 << 16:
                raise EngineError(f"{name} is {port}; expected 0 (any free port) to 65535")
        chosen = [port for port in ports.values() if port]
        if len(set(chosen)) != len(chosen):
            raise EngineError(f"two services on one port: {ports}")

    @property
    def is_guarded(self) -> bool:
        """Whether the control APIs want the control key."""
        return self.control_key is not None or not self.is_local

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            raise EngineError(f"host is {self.host!r}; expected an IP address to bind to, such as 127.0.0.1 or 0.0.0.0") from None
