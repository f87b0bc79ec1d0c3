"""The two contestants, started for the benchmark: Triptych's engine on a working copy, and the plain service."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from loadtest.baselines.plain_service import THREADS
from loadtest.connections import GATEWAY_CLIP
from triptych_server.engine import Engine, EngineOptions
from triptych_server.models.any_folder import use_any
from triptych_server.repository import Repository

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: where it listens (Triton: host:port of gRPC, else http://host:port) and its process."""

    url: str
    pid: int
    role: ClassVar[str] = "plain service"

    @property
    def processes(self) -> Mapping[str, int]:
        """Process ids by role: all that works for an answer, so that nobody takes it for somebody else's doing."""
        return {self.role: self.pid}


@dataclass(frozen=True, slots=True)
class TritonService(Service):
    """Ours, and what it serves."""

    repository: Repository
    metrics_url: str
    role: ClassVar[str] = "tritonserver"

    def graph(self, network: str) -> Path:
        """The served graph."""
        return self.repository.model(network) / "1" / "model.onnx"

    def precision(self, network: str) -> str:
        """What the network runs in, by its own word."""
        return precision_of(network, _fetch(self.metrics_url, 10))


@dataclass(frozen=True, slots=True)
class GatewayService(Service):
    """The gateway, and the Triton that it asks."""

    triton: TritonService
    role: ClassVar[str] = "gateway"

    @property
    def processes(self) -> Mapping[str, int]:
        return {self.role: self.pid, **self.triton.processes}


@contextmanager
def triptych(models: Sequence[Path], scratch: Path, profile: str, cache_bytes: int = 64 << 20) -> Iterator[TritonService]:
    """Import the model folders into a copy of the repository below `scratch` and serve it, with so large a response cache."""
    repository = Repository.locate(ROOT).copy_to(scratch / "repository")
    for model in models:
        use_any(model, repository)
    options = EngineOptions(
        repository=repository,
        profile=profile,
        http_port=0,
        grpc_port=0,
        metrics_port=0,
        log_file=scratch / "triton.log",
        cache_bytes=cache_bytes,
    )
    with Engine(options) as engine:
        assert engine.pid is not None
        url = engine.grpc_url.removeprefix("grpc://")
        _fetch(engine.metrics_url, 10)  # Triton opens this port last
        yield TritonService(url, engine.pid, repository, engine.metrics_url)


def precision_of(model: str, metrics: str) -> str:
    """The precision that a model says it runs in, from Triton's metrics page; ValueError when it does not say."""
    for line in metrics.splitlines():
        if line.startswith("triptych_device_info{") and f'model="{model}"' in line:
            return line.split('precision="', 1)[1].split('"', 1)[0]
    raise ValueError(f"the metrics have no triptych_device_info for {model}")


@contextmanager
def plain_service(*, clip: Path | None = None, faces: Path | None = None, threads: int = THREADS) -> Iterator[Service]:
    """Start the baseline with model folders as a hub gives them, in OpenCLIP's and InsightFace's forms, and wait until it answers."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "loadtest.baselines.plain_service", "--port", str(port), "--threads", str(threads)]
    command += ["--embed", str(clip / "visual" / "model.onnx")] if clip else []
    command += ["--faces", str(faces)] if faces else []
    process = subprocess.Popen(command, cwd=ROOT, env=python_environment())
    try:
        _fetch(f"{url}/health", 120, process)
        yield Service(url, process.pid)
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def gateway(triton: TritonService) -> Iterator[GatewayService]:
    """Start the gateway in front of a Triton, and wait until it is ready."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-c", "from triptych.cli import main; main()", "gateway", "--port", str(port), "--log-level", "warning"]
    command += ["--triton", f"grpc://{triton.url}", "--clip-name", GATEWAY_CLIP]
    process = subprocess.Popen(command, cwd=ROOT, env=python_environment())
    try:
        _fetch(f"{url}/ping", 120, process)
        yield GatewayService(url, process.pid, triton)
    finally:
        process.terminate()
        process.wait(30)


def python_environment() -> dict[str, str]:
    """The environment in which a child finds the modules that this process has."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}


def _fetch(url: str, patience: float, process: subprocess.Popen[bytes] | None = None) -> str:
    """What a server that is starting answers, asked again for `patience` seconds; RuntimeError when that, or its process, ends."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"the service ended with {process.returncode} while starting; its output stands above")
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return str(response.read().decode())
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"{url} did not answer within {patience:g} s")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
