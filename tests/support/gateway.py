"""A gateway in a process of its own, as `triptych gateway` starts it, and forms for it."""

import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

TRIPTYCH = str(Path(sys.executable).with_name("triptych"))
CLIP, PACK = "ViT-B-32__openai", "buffalo_l"
VISUAL = {"clip": {"visual": {"modelName": CLIP}}}
FACES = {"facial-recognition": {"detection": {"modelName": PACK}, "recognition": {"modelName": PACK}}}


@dataclass(frozen=True)
class Running:
    """Where it listens, its process, and the file that it logs to."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    trusted: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.trusted else 'http'}://127.0.0.1:{self.port}"

    def predict(self, entries: Any, image: bytes | None = None, text: str | None = None, **more: Any) -> httpx.Response:
        """The answer to a form; `entries` is JSON's object, or a string as it is."""
        data = {"entries": entries if isinstance(entries, str) else json.dumps(entries)} | ({} if text is None else {"text": text})
        files = {"image": ("blob", image)} if image is not None else {"nothing": ("", b"")}
        return httpx.post(f"{self.url}/predict", data=data, files=files, timeout=60, trust_env=False, **self._tls | more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=60, trust_env=False, **self._tls | more)

    @property
    def _tls(self) -> dict[str, Any]:
        return {"verify": self.trusted} if self.trusted else {}


@contextmanager
def gateway(
    tritons: Sequence[str],
    folder: Path,
    *arguments: str,
    ready: bool = True,
    trusted: ssl.SSLContext | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """Start one in front of `tritons`, wait until it answers (and is ready), and end it with SIGTERM. `trusted`: how HTTPS is spoken."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    log = folder / f"gateway-{port}.log"
    command = [TRIPTYCH, "gateway", "--port", str(port), *arguments]
    for url in tritons:
        command += ["--triton", url]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **(environment or {})})
    running = Running(port, process, log, trusted)
    try:
        _wait(running, "/ping" if ready else "/health/live")
        yield running
    finally:
        process.terminate()
        process.wait(20)


def _wait(running: Running, path: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert running.process.poll() is None, running.log.read_text()
        try:
            if running.get(path).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"the gateway did not answer {path}: {running.log.read_text()}")
