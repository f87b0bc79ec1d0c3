"""Triton's perf_analyzer: (model, requests in flight) -> inferences per second and where Triton spent each one's time.

PyPI's `perf-analyzer` is an empty placeholder; the real program is inside older wheels of tritonclient. 2.50.0 is the last
that runs on glibc 2.36, and it needs two libraries that lie in the wheel our Triton comes from.
"""

import csv
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

WHEEL = "tritonclient-2.50.0-py3-none-manylinux1_x86_64.whl"
SHA256 = "421fbb69ae6ab8cdb2c35b82134fcef2fe11e7af7718b1fcbc53335ab9bfe889"
MEMBER = "tritonclient-2.50.0.data/data/bin/perf_analyzer"
LIBRARIES = {"libb64.so.0d": "libb64-*.so.0d*", "libcudart.so.12": "libcudart-*.so.12*"}
WINDOWS = 3  # perf_analyzer reports the mean of its last three windows
NOTHING_MEASURED = "No valid requests recorded within time interval"


class NothingMeasuredError(Exception):
    """A window passed without an answer."""


@dataclass(frozen=True, slots=True)
class PerfReport:
    """One row of perf_analyzer's CSV; times are means per request in microseconds but for the named percentiles."""

    concurrency: int
    throughput: float
    network_us: float
    queue_us: float
    compute_input_us: float
    compute_infer_us: float
    compute_output_us: float
    p50_us: float
    p99_us: float

    @classmethod
    def parse(cls, text: str) -> "PerfReport":
        """Read a CSV of one concurrency level; ValueError when a column is missing or nothing was measured."""
        rows = list(csv.DictReader(StringIO(text)))
        if len(rows) != 1:
            raise ValueError(f"perf_analyzer's CSV has {len(rows)} rows, one concurrency level was asked for")
        columns = {
            "network_us": "Network+Server Send/Recv",
            "queue_us": "Server Queue",
            "compute_input_us": "Server Compute Input",
            "compute_infer_us": "Server Compute Infer",
            "compute_output_us": "Server Compute Output",
            "p50_us": "p50 latency",
            "p99_us": "p99 latency",
            "throughput": "Inferences/Second",
        }
        if missing := set(columns.values()) - rows[0].keys():
            raise ValueError(f"perf_analyzer's CSV has no column {', '.join(sorted(missing))}")
        return cls(int(rows[0]["Concurrency"]), **{field: float(rows[0][name]) for field, name in columns.items()})


@dataclass(frozen=True, slots=True)
class PerfAnalyzer:
    """The program, and the folder of libraries it needs (None: the system has them)."""

    program: Path
    libraries: Path | None = None

    @classmethod
    def find(cls, cache: Path) -> "PerfAnalyzer":
        """The one on PATH that works, else the one from the wheel, unpacked once below `cache`.

        RuntimeError when neither works, or the wheel is not the one that is expected.
        """
        if named := shutil.which("perf_analyzer"):
            found = cls(Path(named))
            if found.works():
                return found
        found = _unpacked(cache / "perf_analyzer")
        if not found.works():
            raise RuntimeError(f"perf_analyzer of {WHEEL} does not run here; it needs x86-64 and glibc 2.36 or later")
        return found

    def works(self) -> bool:
        """Whether it starts and says what it is; the placeholder from PyPI does not."""
        try:
            return "Perf Analyzer Version" in self._execute("--version", timeout=30)
        except (OSError, RuntimeError):
            return False

    def run(self, model: str, url: str, concurrency: int, window_ms: int) -> PerfReport:
        """Keep `concurrency` requests of batch 1 with random tensors in flight over gRPC; `url` is host:port.

        Takes three windows of `window_ms` and no more, for the benchmark repeats by itself. On a machine so slow that a window
        passes without an answer, the windows are doubled, up to four times; RuntimeError after that or when a request fails.
        """
        for attempt in range(5):
            try:
                return self._measure(model, url, concurrency, window_ms << attempt)
            except NothingMeasuredError:
                continue
        raise RuntimeError(f"{model} did not answer {concurrency} requests in flight within {window_ms << 4} ms")

    def _measure(self, model: str, url: str, concurrency: int, window_ms: int) -> PerfReport:
        with TemporaryDirectory() as folder:
            report = Path(folder) / "report.csv"
            arguments = ["-m", model, "-i", "grpc", "-u", url, "--async", "-f", str(report)]
            arguments += ["--concurrency-range", str(concurrency), "--measurement-interval", str(window_ms)]
            arguments += ["--stability-percentage", "999"]  # any three windows count as stable
            self._execute(*arguments, timeout=60 + 4 * WINDOWS * window_ms / 1000)
            return PerfReport.parse(report.read_text())

    def _execute(self, *arguments: str, timeout: float) -> str:
        environment = os.environ | ({"LD_LIBRARY_PATH": str(self.libraries)} if self.libraries else {})
        command = [str(self.program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environment)
        if NOTHING_MEASURED in done.stderr:
            raise NothingMeasuredError
        if done.returncode:
            raise RuntimeError(f"perf_analyzer ended with {done.returncode}: {(done.stderr + done.stdout)[-600:]}")
        return done.stdout + done.stderr  # the version goes to stderr


def _unpacked(folder: Path) -> PerfAnalyzer:
    """Fetch the wheel with pip, check it, take the one file out, and put links to its libraries beside it."""
    program, libraries = folder / "perf_analyzer", folder / "lib"
    if not program.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(_wheel(folder)) as wheel:
            draft = folder / "perf_analyzer.partial"
            draft.write_bytes(wheel.read(MEMBER))
        draft.chmod(0o755)
        draft.rename(program)
    libraries.mkdir(exist_ok=True)
    for name, pattern in LIBRARIES.items():
        link = libraries / name
        link.unlink(missing_ok=True)
        link.symlink_to(_triton_library(pattern))
    return PerfAnalyzer(program, libraries)


def _wheel(folder: Path) -> Path:
    """The wheel of tritonclient 2.50.0 by way of pip, as whatever index the user has set up serves it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    done = subprocess.run([*command, "tritonclient==2.50.0"], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"pip could not fetch {WHEEL}, which carries perf_analyzer: {done.stderr[-400:]}")
    wheel = folder / WHEEL
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != SHA256:
        wheel.unlink()
        raise RuntimeError(f"{WHEEL} has sha256 {found}, expected {SHA256}; it was removed and nothing of it was run")
    return wheel


def _triton_library(pattern: str) -> Path:
    """One of the libraries that the Triton wheel brings."""
    package = importlib.util.find_spec("pytriton")
    if package is None or package.origin is None:
        raise RuntimeError("nvidia-pytriton is not installed, whose libraries perf_analyzer needs: pip install '.[server]'")
    folder = Path(package.origin).parents[1] / "nvidia_pytriton.libs"
    found = sorted(folder.glob(pattern))
    if not found:
        raise RuntimeError(f"nvidia-pytriton brings no {pattern}, which perf_analyzer needs")
    return found[0]
