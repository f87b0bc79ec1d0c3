"""Triton's perf_analyzer: a model and a load -> inferences per second, latencies, and where Triton spent each request's time."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import platformdirs

from triptych_server.benchmark.perf_report import PerfReport
from triptych_server.benchmark.perf_wheel import WHEEL, unpacked
from triptych_server.errors import ConfigError, EngineError, RuntimeMissingError

WINDOWS = 3
"""perf_analyzer reports the mean of its last windows, so many, and calls them stable when they agree."""
NOTHING_MEASURED = "No valid requests recorded within time interval"
UNSTABLE = "Failed to obtain stable measurement"
PATIENCE = 10  # seconds that it may take to end what is in flight after an interrupt


class NothingMeasuredError(EngineError):
    """A window passed without an answer."""


class UnstableError(EngineError):
    """The windows did not agree until the last that was allowed."""


@dataclass(frozen=True, slots=True)
class PerfLoad:
    """Either `concurrency` requests in flight or `rate` requests per second with Poisson arrivals, of batch 1, in windows of `window_ms`.

    `stability` is how many percent the highest of three windows may be above the lowest, in throughput and in mean latency; up to
    `most_windows` are taken until that is so. None: the first three windows, whatever they show. `write_input` writes perf_analyzer's JSON
    into a folder, anew for each call of the program, or answers None for random tensors, as without it. `shared_memory`: tensors travel
    through system shared memory, on the server's machine only.
    """

    concurrency: int | None = None
    rate: float | None = None
    window_ms: int = 2000
    stability: float | None = None
    most_windows: int = 6
    write_input: Callable[[Path], Path | None] | None = None
    shared_memory: bool = False

    def __post_init__(self) -> None:
        if (self.concurrency is None) == (self.rate is None):
            raise ConfigError("a load is either requests in flight or requests per second, one of them")
        if (self.concurrency or self.rate or 0) <= 0 or self.window_ms <= 0:
            raise ConfigError(f"a load of {self.concurrency or self.rate} in windows of {self.window_ms} ms; expected more than 0")
        if self.most_windows < WINDOWS:
            raise ConfigError(f"at most {self.most_windows} windows; perf_analyzer needs {WINDOWS}")

    def arguments(self, folder: Path) -> list[str]:
        """As perf_analyzer takes them; input data are written into the folder."""
        given = ["--measurement-interval", str(self.window_ms)]
        if self.concurrency is not None:
            given += ["--concurrency-range", str(self.concurrency)]
        else:
            given += ["--request-rate-range", f"{self.rate:g}", "--request-distribution", "poisson"]
        if self.stability is None:
            given += ["--stability-percentage", "999"]  # any three windows count as stable
        else:
            given += ["--stability-percentage", f"{self.stability:g}", "--max-trials", str(self.most_windows)]
        data = self.write_input(folder) if self.write_input else None
        given += ["--input-data", str(data)] if data else []
        return given + (["--shared-memory", "system"] if self.shared_memory else [])


@dataclass(frozen=True, slots=True)
class PerfAnalyzer:
    """The program, and the folder of libraries it needs (None: the system has them)."""

    program: Path
    libraries: Path | None = None

    @classmethod
    def find(cls, cache: Path | None = None) -> "PerfAnalyzer":
        """The one on PATH that works, else the one from the wheel, unpacked once below `cache` (default: the user's cache folder).

        RuntimeMissingError when neither works, or the wheel is not the one that is expected.
        """
        if named := shutil.which("perf_analyzer"):
            found = cls(Path(named))
            if found.version():
                return found
        found = cls(*unpacked((cache or platformdirs.user_cache_path("triptych")) / "perf_analyzer"))
        if not found.version():
            raise RuntimeMissingError(f"perf_analyzer of {WHEEL} does not run here; it needs x86-64 and glibc 2.36 or later")
        return found

    def version(self) -> str:
        """What it calls itself when it starts; empty when it does not, or is the placeholder from PyPI."""
        try:
            said = self._execute(["--version"], timeout=30)
        except (OSError, EngineError):
            return ""
        return next((line.strip() for line in said.splitlines() if "Perf Analyzer Version" in line), "")

    @property
    def source(self) -> str:
        """Which one it is, for a report."""
        return f"from {WHEEL}" if self.libraries else f"{self.program}: {self.version()}"

    def run(self, model: str, url: str, concurrency: int, window_ms: int) -> PerfReport:
        """Keep `concurrency` requests with random tensors in flight for three windows and no more; for what repeats by itself."""
        return self.measure(model, url, PerfLoad(concurrency=concurrency, window_ms=window_ms))

    def measure(self, model: str, url: str, load: PerfLoad) -> PerfReport:
        """Put a model under a load over gRPC; `url` is host:port.

        Where the windows do not agree, three more are taken and the report is marked. On a machine so slow that a window passes without
        an answer, the windows are doubled, up to four times; EngineError after that or when a request fails (perf_analyzer ends then).
        """
        for attempt in range(5):
            longer = replace(load, window_ms=load.window_ms << attempt)
            try:
                return self._measured(model, url, longer)
            except NothingMeasuredError:
                continue
            except UnstableError:
                return self._measured(model, url, replace(longer, stability=None)).unstable()
        level = f"{load.concurrency} requests in flight" if load.concurrency else f"{load.rate:g} requests per second"
        raise EngineError(f"{model} did not answer {level} within {load.window_ms << 4} ms")

    def _measured(self, model: str, url: str, load: PerfLoad) -> PerfReport:
        with TemporaryDirectory() as folder:
            report = Path(folder) / "report.csv"
            arguments = ["-m", model, "-i", "grpc", "-u", url, "--async", "-f", str(report), *load.arguments(Path(folder))]
            windows = WINDOWS if load.stability is None else load.most_windows
            self._execute(arguments, timeout=60 + 4 * windows * load.window_ms / 1000)
            return PerfReport.parse(report.read_text())

    def _execute(self, arguments: list[str], timeout: float) -> str:
        """Run it in a process group of its own: on Ctrl-C it gets one interrupt, from us, and takes its shared memory along."""
        environment = os.environ | ({"LD_LIBRARY_PATH": str(self.libraries)} if self.libraries else {})
        with subprocess.Popen(
            [str(self.program), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            start_new_session=True,
        ) as process:
            try:
                said, _ = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                raise EngineError(f"perf_analyzer did not end within {timeout:.0f} s") from None
            finally:
                _end(process)
        if NOTHING_MEASURED in said:
            raise NothingMeasuredError(NOTHING_MEASURED)
        if process.returncode and UNSTABLE in said:
            raise UnstableError(UNSTABLE)
        if process.returncode:
            raise EngineError(f"perf_analyzer ended with {process.returncode}: {said.strip()[-600:]}")
        return said


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
