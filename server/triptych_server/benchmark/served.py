"""A running server, as a benchmark needs it: which models are ready, their configs, their devices, and its process where that is here."""

import contextlib
import hashlib
import re
import socket
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psutil
from tritonclient import grpc
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.utils import InferenceServerException

from triptych_server.engine.servable import all_needed, in_order
from triptych_server.errors import EngineError
from triptych_server.repository import Repository

DEFAULT_MODELS = ("search_image", "search_text", "faces")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Served:
    """`url`: host:port of gRPC; `pid`: of Triton, where it runs on this machine and may be looked at; `repository`: where its models lie,
    where that is known; `metrics_url`: its metrics page; `profile`: what it was started with, where we did that."""

    url: str
    pid: int | None = None
    repository: Repository | None = None
    metrics_url: str | None = None
    profile: str | None = None

    def ready(self, wanted: Sequence[str]) -> list[str]:
        """Those of `wanted` that are served; all defaults that are when none is named. EngineError when a named one is not,
        or none at all."""
        try:
            with grpc.InferenceServerClient(self.url) as client:
                found = [name for name in wanted or DEFAULT_MODELS if client.is_model_ready(name)]
        except InferenceServerException as error:
            raise EngineError(f"no Triton answers at grpc://{self.url}: {error.message()}") from None
        if missing := [name for name in wanted if name not in found]:
            raise EngineError(f"{', '.join(missing)} is not served at grpc://{self.url}; `triptych status` says what is")
        if not found:
            raise EngineError(f"none of {', '.join(DEFAULT_MODELS)} is served: `triptych models use` puts weights in place")
        return found

    def config(self, model: str) -> ModelConfig:
        """As Triton has it."""
        with grpc.InferenceServerClient(self.url) as client:
            return client.get_model_config(model).config

    def networks(self, models: Iterable[str]) -> list[str]:
        """The networks that these models use, themselves included; none where the repository is not known."""
        if self.repository is None:
            return []
        needed = set[str]().union(*(all_needed(self.repository, model) for model in models))
        networks = {folder.name for folder in self.repository.models() if folder.parent == self.repository.networks}
        return [name for name in in_order(self.repository, needed) if name in networks]

    def devices(self) -> list[dict[str, str]]:
        """Of each instance of a network, what it runs on, by its own word: model, requested and actual device, precision. Empty when the
        metrics cannot be read."""
        if self.metrics_url is None:
            return []
        with contextlib.suppress(OSError), urllib.request.urlopen(self.metrics_url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
            return [dict(_LABEL.findall(line)) for line in lines if line.startswith("triptych_device_info{")]
        return []

    def weights(self, networks: Iterable[str]) -> dict[str, str]:
        """The start of each graph's SHA-256, which names the weights in a report."""
        found = {}
        for network in networks:
            assert self.repository is not None
            graph = self.repository.model(network) / "1" / "model.onnx"
            if graph.is_file():
                with graph.open("rb") as file:
                    found[network] = hashlib.file_digest(file, "sha256").hexdigest()[:12]
        return found


def listener(url: str) -> int | None:
    """The process on this machine that listens at host:port; None for another machine, or another user's process."""
    host, _, port = url.rpartition(":")
    try:
        address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0][4][0]
    except OSError:
        return None
    if address not in _own_addresses():
        return None
    with contextlib.suppress(psutil.AccessDenied):
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == int(port) and each.pid:
                return int(each.pid)
    return None


def _own_addresses() -> set[str]:
    return {str(address.address) for addresses in psutil.net_if_addrs().values() for address in addresses}
