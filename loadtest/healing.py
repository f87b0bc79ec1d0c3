"""`python -m loadtest.healing [--times 5]`: break an idle server in every way: how soon is that noticed, how soon is it ready?

Each turn takes a new server, so that no attempt waits for an earlier one, and breaks another model with every fault; Triton is killed
last. Processes are killed and stopped from outside; those that exit, crash or eat memory do so by themselves, in models made for it.
"""

import argparse
import contextlib
import signal
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton_grpc
from rich.console import Console
from rich.table import Table

from loadtest.chaos.run import demo_server
from loadtest.chaos.scarce_memory import killed_when_short
from loadtest.chaos.server import Server

POLL_SECONDS, MOST_SECONDS, CALL_SECONDS = 0.005, 120.0, 30.0
_CONFIG = """\
backend: "python"
input [ { name: "x" data_type: TYPE_UINT8 dims: [ 1 ] } ]
output [ { name: "y" data_type: TYPE_UINT8 dims: [ 1 ] } ]
instance_group [ { kind: KIND_CPU count: 1 } ]
"""
_CODE = """\
import ctypes, os

class TritonPythonModel:
    def execute(self, requests):
        {}
"""
OWN_ENDS: Mapping[str, str] = {
    "exits": "os._exit(3)",
    "crashes": "ctypes.string_at(0)",
    "eats_memory": "eaten = [b'x' * (1 << 20) for _ in range(1 << 14)]",
}
"""By model, the statement that ends its process."""


@dataclass(frozen=True, slots=True)
class Healed:
    """In seconds from the fault: until the log tells of it, and until Triton says that it is ready."""

    noticed: float
    ready: float


Fault = Callable[[Server], contextlib.AbstractContextManager[None]]


def sent(number: signal.Signals, model: str) -> Fault:
    """A signal for a model's process."""

    @contextlib.contextmanager
    def fault(server: Server) -> Iterator[None]:
        server.stubs[model].send_signal(number)
        yield

    return fault


def asked(model: str) -> Fault:
    """A request that ends the model's process."""

    @contextlib.contextmanager
    def fault(server: Server) -> Iterator[None]:
        with triton_grpc.InferenceServerClient(server.address) as client:
            x = triton_grpc.InferInput("x", [1], "UINT8")
            x.set_data_from_numpy(np.zeros(1, np.uint8))
            client.async_infer(model, [x], lambda result, error: None, client_timeout=CALL_SECONDS)
            yield

    return fault


@contextlib.contextmanager
def out_of_memory(server: Server) -> Iterator[None]:
    """It takes what there is, and the kernel kills it; the limit is its own."""
    with killed_when_short(server.stubs["eats_memory"]), asked("eats_memory")(server):
        yield


@contextlib.contextmanager
def unloaded(server: Server) -> Iterator[None]:
    """By somebody who has the key."""
    server.control.unload("face_recognition", drain=0.0)  # it is about to come back
    yield


@contextlib.contextmanager
def killed_server(server: Server) -> Iterator[None]:
    """SIGKILL."""
    assert server.triton is not None
    server.triton.kill()
    yield


FAULTS: Mapping[str, Fault] = {
    "kill -9": sent(signal.SIGKILL, "clip_visual"),
    "SIGSEGV, sent": sent(signal.SIGSEGV, "clip_tokenize"),
    "SIGSTOP": sent(signal.SIGSTOP, "clip_preprocess"),
    "os._exit": asked("exits"),
    "a segmentation fault of its own": asked("crashes"),
    "out of memory, killed by the kernel": out_of_memory,
    "a model unloaded": unloaded,
    "Triton killed": killed_server,
}
"""In the order in which they are played; after the last one nothing can be measured on this server."""


def measured(server: Server, fault: Fault) -> Healed:
    """Break it, and wait until it is well. RuntimeError when it is not within MOST_SECONDS."""
    told, began = len(server.told()), time.monotonic()
    until = began + MOST_SECONDS

    def wait(condition: Callable[[], bool]) -> float:
        while not condition():
            if time.monotonic() > until:
                raise RuntimeError(f"not well after {MOST_SECONDS:.0f} s; it said: {server.told()[told:]}")
            time.sleep(POLL_SECONDS)
        return time.monotonic() - began

    with fault(server):
        noticed = wait(lambda: "): " in server.told()[told:])  # as in `clip_visual (stub_died): …`
        wait(lambda: " serves again" in server.told()[told:])
        return Healed(noticed, wait(server.is_ready))


def add_models(server: Server) -> None:
    """Those that end themselves."""
    for name, statement in OWN_ENDS.items():
        folder = server.repository.root / "python_models" / name
        (folder / "1").mkdir(parents=True)
        (folder / "config.pbtxt").write_text(f'name: "{name}"\n{_CONFIG}', encoding="utf-8")
        (folder / "1" / "model.py").write_text(_CODE.format(statement), encoding="utf-8")


def measure_all(times: int, profile: str, console: Console) -> Mapping[str, list[Healed]]:
    """Every fault, so many times."""
    found = defaultdict[str, list[Healed]](list)
    with tempfile.TemporaryDirectory(prefix="healing-") as scratch:
        server = demo_server(Path(scratch), profile, own_disks=False)
        add_models(server)
        with server:
            for turn in range(times):
                if not server.runs:
                    server.start()
                for name, fault in FAULTS.items():
                    found[name].append(measured(server, fault))
                    console.log(f"{turn + 1} of {times}, {name}: {found[name][-1]}")
                server.stop()
    return found


def main() -> None:
    """Measure, print medians and the longest."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--times", type=int, default=5)
    arguments.add_argument("--profile", default="cpu", choices=("cpu", "openvino"))
    options = arguments.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # who ends it, ends its server
    console = Console(width=120)
    found = measure_all(options.times, options.profile, console)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("fault", "noticed after, median", "longest", "ready again after, median", "longest"):
        table.add_column(title, justify="left" if title == "fault" else "right")
    for name, healed in found.items():
        rows = ([each.noticed for each in healed], [each.ready for each in healed])
        table.add_row(name, *(f"{value:.1f} s" for row in rows for value in (statistics.median(row), max(row))))
    console.print(table)


if __name__ == "__main__":
    main()
