"""`triptych serve` as users run it, in a process of its own, on ports that stay the same when it is started again."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from loadtest.chaos import small_disks
from loadtest.footprint import family
from loadtest.services import ROOT, free_port, python_environment
from triptych_server.benchmark.cpu import stub_model
from triptych_server.engine.command import CONTROL_HEADER
from triptych_server.engine.control import ControlApi
from triptych_server.repository import Repository

START_SECONDS, STOP_SECONDS = 600.0, 120.0


class Server:
    """Runs within `with`. `own_disks`: its /dev/shm and temporary folder are small file systems of its own."""

    def __init__(self, repository: Repository, folder: Path, profile: str, *, own_disks: bool) -> None:
        self.repository, self.profile, self.own_disks = repository, profile, own_disks
        self.disk = folder / "disk"
        self.disk.mkdir()
        self._ports = {name: free_port() for name in ("http", "grpc", "metrics")}
        self._key = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None
        self._log = (folder / "serve.log").open("wb")
        self._seen: dict[int, psutil.Process] = {}
        self._mains: list[int] = []

    @property
    def address(self) -> str:
        """host:port of gRPC."""
        return f"127.0.0.1:{self._ports['grpc']}"

    @property
    def http_port(self) -> int:
        """On 127.0.0.1."""
        return self._ports["http"]

    @property
    def control(self) -> ControlApi:
        """Its control API."""
        return ControlApi(f"http://127.0.0.1:{self.http_port}", {CONTROL_HEADER: self._key})

    @property
    def pid(self) -> int:
        """`triptych serve` itself."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether `triptych serve` does."""
        return self._process is not None and self._process.poll() is None

    @property
    def triton(self) -> psutil.Process | None:
        """tritonserver, where it runs."""
        named = [process for process in self.processes() if _name(process) == "tritonserver"]
        return named[0] if named else None

    @property
    def stubs(self) -> Mapping[str, psutil.Process]:
        """Triton's Python stubs by their model."""
        found = {}
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if model := stub_model(process.cmdline()):
                    found[model] = process
        return found

    def processes(self) -> list[psutil.Process]:
        """All of it that run now."""
        alive = family(self.pid)
        self._seen |= {process.pid: process for process in alive}
        return alive

    def start(self) -> None:
        """Start, and wait until it is ready."""
        command = [sys.executable, "-c", "from triptych.cli import main; main()", "serve", "--repository", str(self.repository.root)]
        command += ["--profile", self.profile, "--log-file", str(self.disk / "triton.log")]
        for name, port in self._ports.items():
            command += [f"--{name}-port", str(port)]
        if self.own_disks:
            command = small_disks.within(self.disk, command)
        environment = {
            **python_environment(),
            "TMPDIR": str(self.disk),
            "TRIPTYCH_CACHE": str(self.disk / "cache"),
            "TRIPTYCH_CONTROL_KEY": self._key,
        }
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=self._log, stderr=self._log, start_new_session=True)
        self._mains.append(self._process.pid)
        self.wait_ready(START_SECONDS)

    def wait_ready(self, seconds: float) -> None:
        """RuntimeError when it is not ready by then, or has ended."""
        until = time.monotonic() + seconds
        while not self.is_ready():
            if not self.runs or time.monotonic() > until:
                raise RuntimeError(f"the server is not ready: {self.told()[-2000:]}")
            time.sleep(0.1)
        self.processes()

    def told(self) -> str:
        """All that it has said so far, of every start."""
        return Path(self._log.name).read_text(encoding="utf-8", errors="replace")

    def is_ready(self) -> bool:
        """What Triton says of itself."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/v2/health/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError):
            return False

    def stop(self) -> float:
        """SIGTERM; the seconds that it took to end. RuntimeError when it does not."""
        self.processes()
        began = time.monotonic()
        if self._process is not None and self.runs:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                raise RuntimeError(f"the server did not end within {STOP_SECONDS:.0f} s of SIGTERM") from None
        return time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL, for all of it."""
        for process in reversed(self.processes()):
            with contextlib.suppress(psutil.Error):
                process.kill()
        if self._process is not None:
            self._process.wait()

    def left_behind(self) -> list[str]:
        """Once it has ended: processes and shared-memory regions of it that are still there. File systems of its own end with it."""
        found = [f"process {process.pid}" for process in self._seen.values() if process.is_running() and _name(process) != "zombie"]
        namespace = Path("/proc/self/ns/pid").stat().st_ino
        for main in self._mains:
            found += [str(file) for file in small_disks.SHM.glob(f"triptych_{namespace}_{main}_*")]
            found += [str(file) for file in self.disk.glob(f"triptych_{namespace}_{main}_*")]
        return found

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def _end(self) -> None:
        try:
            self.stop()
        finally:
            for process in self._seen.values():
                with contextlib.suppress(psutil.Error):  # also says no to a process id that is another's by now
                    process.kill()
            if self._process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._log.close()


def _name(process: psutil.Process) -> str:
    try:
        return "zombie" if process.status() == psutil.STATUS_ZOMBIE else process.name()
    except psutil.Error:
        return ""
