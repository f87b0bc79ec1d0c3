"""The runtime alone: a network's config and graph -> the speed of its session without Triton, in a process of its own.

The session is the one that our backends open, with the same precision, threads and streams, and as many batches at once as they run.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.json_format import MessageToDict
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from triptych_server.benchmark.cpu import CpuClock, CpuUse
from triptych_server.errors import EngineError, TriptychServerError
from triptych_server.serving.instance import PROFILE_VARIABLE, Instance
from triptych_server.sessions.protocol import Arrays, Session

BACKENDS = ("onnxruntime", "openvino", "rknn", "armnn")
"""Those with a session of ours; each is a module of `triptych_server.sessions`."""

_DTYPES = {"TYPE_UINT8": np.uint8, "TYPE_INT32": np.int32, "TYPE_INT64": np.int64, "TYPE_FP32": np.float32, "TYPE_FP16": np.float16}
OWN = "own"
_OPEN_SECONDS = 900.0  # compiling for an accelerator takes minutes
_SEED = 7


@dataclass(frozen=True, slots=True)
class Case:
    """Batches of `batch` rows; `callers` run them side by side (0: as many as the session takes at once)."""

    batch: int
    callers: int


@dataclass(frozen=True, slots=True)
class Alone:
    """Rows per second, milliseconds of one batch (the median) and CPU milliseconds of one row; `device` is where it really ran;
    `others_share`: of all cores' time, what other processes took."""

    batch: int
    rate: float
    batch_ms: float
    cpu_ms: float
    device: str
    precision: str
    others_share: float = 0.0

    @property
    def on_cpu(self) -> bool:
        """Whether it computes on the cores that decoding needs too."""
        return self.device.upper().startswith("CPU")


def run_alone(config: ModelConfig, folder: Path, profile: str, cases: Sequence[Case], seconds: float) -> list[Alone]:
    """Open the network at `folder` as `config` says and measure each case. EngineError with the runtime's reason when that cannot be."""
    if config.backend not in BACKENDS:
        raise EngineError(f"{config.name}: there is no session for the backend {config.backend!r} to measure it alone")
    asked = {"config": MessageToDict(config, preserving_proto_field_name=True), "folder": str(folder), "seconds": seconds}
    asked["cases"] = [asdict(case) for case in cases]
    command = [sys.executable, "-m", __name__]
    limit = _OPEN_SECONDS + len(cases) * (10 * seconds + 60)
    environment = os.environ | {PROFILE_VARIABLE: profile}
    try:
        done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, timeout=limit, check=False, env=environment)
    except subprocess.TimeoutExpired:
        raise EngineError(f"{config.name}: its runtime alone did not end within {limit:.0f} s") from None
    if done.returncode:
        raise EngineError(f"{config.name}: its runtime could not be measured alone: {(done.stderr or done.stdout).strip()[-400:]}")
    return [Alone(**each) for each in json.loads(done.stdout.splitlines()[-1])]


def arguments(config: dict[str, Any], folder: Path) -> dict[str, str]:
    """What Triton would tell the backend of the model's first instance."""
    group: dict[str, Any] = next(iter(config.get("instance_group", ())), {})
    kind = str(group.get("kind", ModelInstanceGroup.Kind.Name(ModelInstanceGroup.KIND_CPU))).removeprefix("KIND_")
    devices = group.get("gpus") or [0]
    name, version = config["name"], str(max((int(each.name) for each in folder.iterdir() if each.name.isdecimal()), default=1))
    return {
        "model_config": json.dumps({"max_batch_size": 0, **config}),
        "model_name": name,
        "model_instance_name": f"{name}_0_0",
        "model_instance_kind": kind,
        "model_instance_device_id": str(devices[0]),
        "model_repository": str(folder),
        "model_version": version,
    }


def measure_session(session: Session, feeds: Arrays, callers: int, seconds: float) -> tuple[list[float], CpuUse]:
    """Run the same batch over and over for `seconds`: the milliseconds of each, and what that took."""
    with session.run(feeds):
        pass  # the first run of a shape prepares
    deadline = time.perf_counter() + seconds

    def caller(_: int) -> list[float]:
        lives: list[float] = []
        while not lives or time.perf_counter() < deadline:
            begin = time.perf_counter()
            with session.run(feeds):
                lives.append(1e3 * (time.perf_counter() - begin))
        return lives

    with ThreadPoolExecutor(callers) as pool:
        before = CpuClock.read({OWN: os.getpid()})
        lives = [life for each in pool.map(caller, range(callers)) for life in each]
        return lives, before.until(CpuClock.read({OWN: os.getpid()}))


def _measure(asked: dict[str, Any]) -> list[Alone]:
    instance = Instance.from_args(arguments(asked["config"], Path(asked["folder"])))
    session: Session = import_module(f"triptych_server.sessions.{asked['config']['backend']}").open_session(instance.session_settings())
    random, found = np.random.default_rng(_SEED), []
    try:
        for case in (Case(**each) for each in asked["cases"]):
            feeds = {
                tensor.name: random.integers(0, 255, (case.batch, *map(abs, tensor.dims))).astype(_DTYPES[tensor.data_type])
                for tensor in instance.inputs
            }
            callers = case.callers or session.concurrency
            lives, use = measure_session(session, feeds, callers, asked["seconds"])
            rows = len(lives) * case.batch
            figures = rows / use.wall, float(np.median(lives)), 1e3 * use.seconds[OWN] / rows
            others = use.others_share(len(os.sched_getaffinity(0)))
            found.append(Alone(case.batch, *figures, session.device.actual, session.device.precision, others))
    finally:
        session.close()
    return found


def main() -> None:
    """JSON on stdin, JSON on the last line of stdout."""
    try:
        found = _measure(json.load(sys.stdin))
    except TriptychServerError as error:
        sys.exit(str(error))
    print(json.dumps([asdict(each) for each in found]))


if __name__ == "__main__":
    main()
