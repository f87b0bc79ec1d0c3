"""Choose the three ports: those the user wants, checked to be free, or any free ones."""

import contextlib
import socket
from dataclasses import dataclass, replace

from triptych_server.engine.options import EngineOptions
from triptych_server.errors import EngineError


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports of Triton's services."""

    http: int
    grpc: int
    metrics: int

    def wanted_by(self, options: EngineOptions) -> EngineOptions:
        """These options, with these ports: for another Triton at the same addresses."""
        return replace(options, http_port=self.http, grpc_port=self.grpc, metrics_port=self.metrics)


def choose_ports(options: EngineOptions) -> Ports:
    """Resolve every 0 to a free port. EngineError when a port that was asked for is taken."""
    plain = options.plain_host
    wanted = {"http": (plain, options.http_port), "grpc": (options.host, options.grpc_port), "metrics": (plain, options.metrics_port)}
    with contextlib.ExitStack() as held:  # all three are held at once, so that no free port is handed out twice
        bound = {service: held.enter_context(_bind(host, port, service)).getsockname()[1] for service, (host, port) in wanted.items()}
    return Ports(**bound)


def _bind(host: str, port: int, service: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a closed server's port in TIME_WAIT is not taken
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise EngineError(
            f"port {port} for {service} on {host} cannot be used: {error.strerror}; stop what listens there, "
            f"or choose another with --{service}-port (0: any free port)"
        ) from None
    return listener
