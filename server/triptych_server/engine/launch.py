"""Start a Triton process with ports, folders, shared memory and a log of its own; all but the log's file goes when it ends."""

import contextlib
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from triptych_server.engine.backend_directory import build_backend_directory
from triptych_server.engine.child import end_group, start_child
from triptych_server.engine.command import triton_command, triton_environment
from triptych_server.engine.log import TritonLog
from triptych_server.engine.options import EngineOptions
from triptych_server.engine.ports import Ports, choose_ports
from triptych_server.engine.running import EngineNote
from triptych_server.engine.scratch import new_scratch, remove_stale_scratch
from triptych_server.engine.shared_memory import new_prefix, remove_regions, remove_stale_regions
from triptych_server.engine.stubs import Stubs
from triptych_server.engine.triton import Triton
from triptych_server.engine.unloading import ON_DEMAND, add_on_demand, compile_models
from triptych_server.engine.unready import NAME as UNREADY
from triptych_server.serving.idle_models import IdleModels


@dataclass(frozen=True, slots=True)
class Launched:
    """A Triton that was started, running or not: `staging` is an empty model repository of its own, in the folder `loads` its
    models show how full they are, `idle` is there where models become idle."""

    process: subprocess.Popen[str]
    ports: Ports
    log: TritonLog
    staging: Path
    loads: Path
    stubs: Stubs
    idle: IdleModels | None = None
    leftovers: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def runs(self) -> bool:
        """Whether the process does."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End it at once; what it leaves is removed by `end`."""
        if self.runs:
            self.process.kill()

    def end(self, seconds: float) -> None:
        """SIGTERM, after so many seconds SIGKILL; then remove what it leaves. Safe to call twice."""
        if self.runs:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.leftovers.close()


def launch(
    options: EngineOptions, triton: Triton, models: Sequence[Path], later: frozenset[str], ours: set[str], note: EngineNote | None, key: str
) -> Launched:
    """Start Triton, which begins to load these folders' models but for the names that are to come `later`. `ours`: the backends that are to
    be ours; `key`: of the control APIs. EngineError when a port is taken; nothing is left then."""
    ports = choose_ports(options)
    remove_stale_regions()
    remove_stale_scratch()
    with contextlib.ExitStack() as leftovers:
        prefix = new_prefix()
        leftovers.callback(remove_regions, prefix)
        scratch = new_scratch(prefix)
        leftovers.callback(shutil.rmtree, scratch, ignore_errors=True)
        backends, loads = scratch / "backends", scratch / "loads"
        staging = note.engine.staging if note else scratch / "staging"
        for folder in (backends, loads):
            folder.mkdir()
        shutil.rmtree(staging / UNREADY, ignore_errors=True)
        staging.mkdir(exist_ok=True)
        build_backend_directory(backends, triton, options.repository.backends, ours)
        log = TritonLog(options.log_file or platformdirs.user_log_path("triptych") / f"triton-{ports.grpc}.log", options.log_bytes)
        leftovers.callback(log.close)
        idle = add_on_demand(staging, scratch) if options.model_ttl else None
        compile_models([*models, *([idle.folder] if idle else [])])
        first = [folder.name for folder in models if folder.name not in later] + [ON_DEMAND] * bool(idle)
        process = start_child(
            triton_command(options, first, triton, backends, staging, ports, prefix, key),
            environment=triton_environment(triton, options.profile, loads),
            folder=scratch,  # the stubs have '' on sys.path: nothing of the user's folder may be imported
            kept=[note.fileno()] if note else (),
        )
        leftovers.callback(end_group, process.pid)
        assert process.stdout is not None
        log.follow(process.stdout)
        return Launched(process, ports, log, staging, loads, Stubs(process.pid), idle, leftovers.pop_all())
