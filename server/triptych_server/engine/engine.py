"""One running Triton: started on the three repositories, watched until it serves, stopped gracefully, cleaned up after."""

import contextlib
import logging
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import platformdirs
from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.read import OUR_RUNTIME, profile_config
from triptych_server.disk import with_room
from triptych_server.engine.backend_directory import build_backend_directory
from triptych_server.engine.child import end_group, start_child
from triptych_server.engine.command import CONTROL_HEADERS, triton_command, triton_environment
from triptych_server.engine.control import ControlApi
from triptych_server.engine.drain import unload_all
from triptych_server.engine.hidden_argument import hide_argument
from triptych_server.engine.key_file import write_key
from triptych_server.engine.log import TritonLog
from triptych_server.engine.native_engines import with_bounded_queues, with_kept_engines
from triptych_server.engine.options import LOOPBACK, EngineOptions
from triptych_server.engine.ports import Ports, choose_ports
from triptych_server.engine.readiness import HealthApi, not_ready
from triptych_server.engine.running import EngineNote, is_changing, new_note
from triptych_server.engine.scratch import new_scratch, remove_stale_scratch
from triptych_server.engine.servable import Servable, closure, find_servable, in_order, needs_of_all
from triptych_server.engine.served_config import served_config
from triptych_server.engine.shared_memory import new_prefix, remove_regions, remove_stale_regions
from triptych_server.engine.start_watch import StartWatch
from triptych_server.engine.triton import Triton, find_triton
from triptych_server.engine.unloading import ON_DEMAND, Unloader, add_on_demand, compile_models
from triptych_server.engine.unready import NAME as UNREADY
from triptych_server.engine.wanted import Wanted
from triptych_server.engine.watch import Patience, Watch
from triptych_server.errors import (
    ConfigError,
    DiskSpaceError,
    EngineError,
    RepositoryBusyError,
    RepositoryReadOnlyError,
    TritonCrashedError,
)
from triptych_server.models.swap import JOURNAL, recover
from triptych_server.repository_lock import FOLDER, locked
from triptych_server.serving.backpressure import left_unanswered
from triptych_server.serving.idle_models import IdleModels

POLL_SECONDS = 0.1
START_ATTEMPTS = 5
UNDO_SECONDS = 120.0
"""How long a restart waits for a change of models that the old Triton's end has interrupted."""
IDLE_SECONDS = 2.0
"""For connections that nobody uses, once every model is unloaded."""
_logger = logging.getLogger(__name__)


class Engine:
    """Use as a context manager: inside the block every model whose weights are in place is ready. All failures are EngineError."""

    def __init__(self, options: EngineOptions) -> None:
        self.options = options
        self.control_key = options.control_key or secrets.token_urlsafe(24)
        self._cleanup = contextlib.ExitStack()  # of what outlives an attempt to start
        self._launched = contextlib.ExitStack()  # of one attempt
        self._stopping = contextlib.ExitStack()  # of what asks Triton things while it serves
        self._process: subprocess.Popen[str] | None = None
        self._ports: Ports | None = None
        self._log: TritonLog | None = None
        self._servable = Servable((), {})
        self._overrides = options.overrides
        self._overridden: dict[str, ModelConfig | None] = {}
        self._backpressure: Path | None = None
        self._note: EngineNote | None = None
        self._triton: Triton | None = None
        self._staging: Path | None = None
        self._serving = self._drained = False
        self.wanted = Wanted(options.repository)
        self._idle: IdleModels | None = None  # where models become idle

    @property
    def ports(self) -> Ports:
        """The ports in use; EngineError before `start`."""
        if self._ports is None:
            raise EngineError("the engine has not been started")
        return self._ports

    @property
    def host(self) -> str:
        """Where this machine reaches what has no TLS."""
        return _reached(self.options.plain_host)

    @property
    def http_url(self) -> str:
        """`http://host:port` of the HTTP API."""
        return f"http://{self.host}:{self.ports.http}"

    @property
    def grpc_url(self) -> str:
        """`grpc://host:port` of the gRPC API; `grpcs` with TLS."""
        return f"grpc{'s' if self.options.tls else ''}://{_reached(self.options.host)}:{self.ports.grpc}"

    @property
    def metrics_url(self) -> str:
        """The Prometheus endpoint."""
        return f"http://{self.host}:{self.ports.metrics}/metrics"

    @property
    def models(self) -> list[str]:
        """The models that it serves, once started."""
        return [folder.name for folder in self._servable.models]

    @property
    def control_headers(self) -> dict[str, str]:
        """Headers that open the control APIs, over HTTP and over gRPC."""
        return dict.fromkeys(CONTROL_HEADERS, self.control_key)

    @property
    def log_file(self) -> Path | None:
        """Triton's log, once started."""
        return self._log.file if self._log else None

    @property
    def pid(self) -> int | None:
        """Triton's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start Triton and wait until every model is ready. Models without weights, and those that need them, are left out;
        a warning says which.

        EngineError when no network has weights, a port is taken, Triton ends, a model fails (the text says which and why),
        or `start_timeout` passes; nothing is left running then.
        """
        if self.pid is not None:
            raise EngineError("this engine is running already; stop it first, or make another")
        self._ports = None
        try:
            self._announce()
            self._servable = find_servable(self.options.repository)
            if self._servable.left_out:
                self._say_left_out()
            triton = self._triton = find_triton(self.options.triton)
            overrides = with_kept_engines(self.options.overrides, triton, self.options.repository)
            self._overrides = with_bounded_queues(overrides, triton, self._configs().values())
            self._start_triton(triton, time.monotonic() + self.options.start_timeout)
            for file in write_key((self.ports.grpc, self.ports.http), self.control_key):
                self._cleanup.callback(file.unlink, missing_ok=True)
            if self._note:
                self._note.serving(self.http_url, self.control_headers, self.options.profile, self._overrides)
        except BaseException:
            self.stop()
            raise

    def left_unanswered(self, model: str) -> bool:
        """Whether a process of the model has died with requests that it had taken over: Triton will never answer them. Told once."""
        return self._backpressure is not None and left_unanswered(model, self._backpressure)

    def restart(self) -> None:
        """End Triton at once, whatever it does, and start another at the same addresses, with the models that are in place now.

        EngineError when it does not start; `restart` may be called again then, and `stop` must be in the end.
        """
        if self._triton is None:
            raise EngineError("the engine has not been started")
        self._serving = False
        self.kill()
        self._end_triton()
        self._wait_for_change()
        if self._note:  # it may have been changed since
            self.options = replace(self.options, profile=self._note.now().profile)
        self._servable = find_servable(self.options.repository)
        self._start_triton(self._triton, time.monotonic() + self.options.start_timeout)
        if self._note:
            self._note.serving(self.http_url, self.control_headers, self.options.profile, self._overrides)

    def kill(self) -> None:
        """End Triton at once; what it leaves is removed by `stop`."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    @property
    def control(self) -> ControlApi:
        """Its control API."""
        return ControlApi(self.http_url, self.control_headers)

    @property
    def staging(self) -> Path:
        """An empty model repository of this Triton's own; EngineError before `start`."""
        if self._staging is None:
            raise EngineError("the engine has not been started")
        return self._staging

    def new_watch(self, patience: Patience) -> Watch:
        """Over the Triton that runs now."""
        if self._process is None or self._log is None:
            raise EngineError("the engine has not been started")
        return Watch(self._process, self._log, self.control, self.metrics_url, self.wanted, patience)

    def load(self, model: str, timeout: float) -> None:
        """Load a model that is not loaded, as the start did. EngineError when that fails."""
        profile = self._note.now().profile if self._note else self.options.profile
        config = served_config(self.options.repository.model(model), profile, self._overrides, self.options.profile)
        self.control.load(model, config, timeout)

    def is_changing(self) -> bool:
        """Whether a change of models is just loading and unloading them."""
        return self._note is not None and is_changing(self._note.engine.file)

    def _wait_for_change(self) -> None:
        """Wait, but not for ever, until a change that was changing over has noticed that Triton is gone, and has put the files back."""
        deadline = time.monotonic() + UNDO_SECONDS
        while self.is_changing() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def _start_triton(self, triton: Triton, deadline: float) -> None:
        """Start it, and again when it crashes or hangs: on a machine that is busy with other things the handshake of Triton's Python
        backend (2.51) with a stub sometimes corrupts their shared memory, before any model is loaded."""
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                self._overridden = self._find_overridden()
                self._wait_ready(self._launch(triton, deadline))
                self.wanted.start(self.models)
                self._serving, self._drained = True, False
                if self._idle:
                    self._unload_idle(self._idle)
                return
            except TritonCrashedError as error:
                if attempt == START_ATTEMPTS:
                    raise
                _logger.warning("starting Triton again (%d of %d): %s", attempt + 1, START_ATTEMPTS, str(error).split("\n")[0])
                self._end_triton()

    def stop(self) -> None:
        """Let Triton finish what is under way (up to `stop_timeout`), end it, remove what it leaves. Safe to call twice; `kill`, from a
        signal's handler, cuts it short."""
        self._stopping.close()
        try:
            self._drain()
        finally:  # whatever it answers, it ends
            self._end_triton()
            self._cleanup.close()

    def _drain(self) -> None:
        """Unload every model, callers first, so that each answers what it has and its `finalize` runs: a Triton that is told to end waits
        for connections instead, idle ones too, and then ends without."""
        if not self._serving or self.pid is None:
            return
        self._serving = False
        needed = {**needs_of_all(self.options.repository), **({ON_DEMAND: set()} if self._idle else {})}
        unload_all(self.control, needed, time.monotonic() + self.options.stop_timeout, lambda: self.pid is not None)
        with contextlib.suppress(EngineError):  # it hangs, or has just ended
            self._drained = self.pid is not None and not self.control.ready()

    def _end_triton(self) -> None:
        """The process, and what it leaves."""
        self._stopping.close()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(IDLE_SECONDS if self._drained else self.options.stop_timeout + 5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._launched.close()

    def wait(self, timeout: float | None = None) -> int | None:
        """Block until Triton ends; its exit code, or None when `timeout` seconds passed first."""
        if self._process is None:
            raise EngineError("the engine has not been started")
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _say_left_out(self) -> None:
        missing = f"{', '.join(self._servable.missing)} missing"
        help_text = (
            "`triptych models use NAME` pulls one and puts it in place (`triptych models list` helps to choose; ViT-B-32__openai and "
            "buffalo_l are Immich's defaults), `triptych models import demo` the small demo models"
        )
        if not self._servable.has_network:
            raise EngineError(f"no weights yet: {missing}; {help_text}")
        _logger.warning("not served: %s (%s; %s)", ", ".join(self._servable.left_out), missing, help_text)

    def _unload_idle(self, idle: IdleModels) -> None:
        unloader = Unloader(self.options, self.control, self.wanted, self.load, idle)
        self._stopping.callback(unloader.stop)
        unloader.start()

    def _announce(self) -> None:
        """Leave a note in the repository before anything is loaded from it, so that a change waits for us, as we wait for one.

        In a repository that cannot be written nothing is noted, and a warning says so; EngineError when a change left it half made.
        """
        repository = self.options.repository
        try:
            with locked(repository) as folder, with_room(repository.root):
                if recover(folder, repository.roots):
                    _logger.warning("a change of models was cut short; its files were put back")
                self._note = new_note(folder)
        except (RepositoryReadOnlyError, DiskSpaceError, OSError) as error:
            if (journal := repository.root / FOLDER / JOURNAL).exists():
                raise EngineError(
                    f"the models in {repository.root} are half replaced ({journal}): a change of them is under way, or was cut short; "
                    f"start once, or run `triptych models use`, where the repository can be written: that puts them back ({error})"
                ) from None
            _logger.warning("`triptych models use` will not find this server: %s", error)
            return
        except RepositoryBusyError as error:
            raise EngineError(f"the server was not started: {error}") from None
        self._cleanup.callback(self._note.remove)

    def _configs(self) -> dict[str, ModelConfig]:
        """By model, what the profile says, without those that cannot be read."""
        configs = {}
        for folder in self._servable.models:
            with contextlib.suppress(ConfigError):  # Triton is to say what is wrong with it
                configs[folder.name] = profile_config(folder, self.options.profile)
        return configs

    def _kept_ours(self) -> set[str]:
        """The backends that some model wants ours of, by its `runtime`, wherever Triton has its own: all models of them get ours then."""
        configs = [*self._configs().values(), *filter(None, self._overridden.values())]
        return {config.backend for config in configs if config.runtime == OUR_RUNTIME}

    def _find_overridden(self) -> dict[str, ModelConfig | None]:
        """What is to be loaded with another config than its folder's, and None for what needs such a model; in the order of loading."""
        overrides, repository, configs = self._overrides, self.options.repository, self._configs()
        overrides.check(configs.values())
        graphs = {folder.name: folder / "1" / "model.onnx" for folder in self._servable.models}
        changed = {name: applied for name, config in configs.items() if (applied := overrides.applied(config, graphs[name])) != config}
        needed = needs_of_all(repository)
        later = [name for name in self.models if closure(name, needed) & set(changed)]
        return {name: changed.get(name) for name in in_order(repository, later)}

    def _launch(self, triton: Triton, deadline: float) -> StartWatch:
        self._ports = choose_ports(self.options if self._ports is None else self._ports.wanted_by(self.options))
        remove_stale_regions()
        remove_stale_scratch()
        prefix = new_prefix()
        self._launched.callback(remove_regions, prefix)
        scratch = new_scratch(prefix)
        self._launched.callback(shutil.rmtree, scratch, ignore_errors=True)
        backends, staging = scratch / "backends", self._note.engine.staging if self._note else scratch / "staging"
        backends.mkdir()
        shutil.rmtree(staging / UNREADY, ignore_errors=True)
        staging.mkdir(exist_ok=True)
        self._staging = staging
        build_backend_directory(backends, triton, self.options.repository.backends, self._kept_ours())
        self._backpressure = scratch / "backpressure"
        self._backpressure.mkdir()
        self._log = TritonLog(self.options.log_file or self._default_log(), self.options.log_bytes)
        self._launched.callback(self._log.close)
        self._idle = add_on_demand(staging, scratch) if self.options.model_ttl else None
        compile_models([*self._servable.models, *([self._idle.folder] if self._idle else [])])
        first = [name for name in self.models if name not in self._overridden] + [ON_DEMAND] * bool(self._idle)
        self._process = start_child(
            triton_command(self.options, first, triton, backends, staging, self._ports, prefix, self.control_key),
            environment=triton_environment(triton, self.options.profile, self._backpressure),
            folder=scratch,  # the stubs have '' on sys.path: nothing of the user's folder may be imported
            kept=[self._note.fileno()] if self._note else (),
        )
        self._launched.callback(end_group, self._process.pid)
        assert self._process.stdout is not None
        self._log.follow(self._process.stdout)
        return StartWatch(self._process, self._log, deadline)

    def _wait_ready(self, watch: StartWatch) -> None:
        api, key_shows = HealthApi(self.http_url, self.control_headers), True
        while True:
            watch.check()
            if key_shows and self._log is not None and self._log.has_begun():
                key_shows = False
                self._hide_key()
            if api.is_live():
                self._load_overridden(watch)
                if self._all_ready(api):
                    return
            time.sleep(POLL_SECONDS)

    def _hide_key(self) -> None:
        """Triton takes the control key as an argument only, and every user of the machine sees those."""
        assert self._process is not None
        try:
            hide_argument(self._process.pid, self.control_key)
        except OSError as error:
            if self._process.poll() is None:
                _logger.warning("other users of this machine can read the control key in Triton's command line: %s", error)

    def _load_overridden(self, watch: StartWatch) -> None:
        """Load what wants another config than its folder's, once; a Triton that dies or hangs meanwhile is not waited for."""
        control = ControlApi(self.http_url, self.control_headers)
        while self._overridden:
            name, config = next(iter(self._overridden.items()))
            loader = ThreadPoolExecutor(1, thread_name_prefix="load")
            loading = loader.submit(control.load, name, config, max(watch.left, 1.0))
            loader.shutdown(wait=False)  # a stop need not wait for it: it ends with Triton
            while not loading.done():
                watch.check()
                wait([loading], POLL_SECONDS)
            if loading.exception() is not None:
                self.wait(1)  # it may be about to end
                watch.check()
            loading.result()
            del self._overridden[name]

    def _all_ready(self, api: HealthApi) -> bool:
        """Whether every model is ready; False while some still load; EngineError naming those that failed, and why."""
        assert self._log is not None
        try:
            index = api.index()
        except (OSError, ValueError):  # it died, or somebody else answers there: the next look tells
            return False
        if any(model.state in {"LOADING", "UNLOADING"} for model in index):
            return False
        expected = [*self._servable.models, *([self._idle.folder] if self._idle else [])]
        failed = not_ready(index, [folder.name for folder in expected], self._log.failures())
        failed.update(
            {folder.name: reason for folder in expected if folder.name in failed and (reason := self._own_reason(folder, failed))}
        )
        if failed:
            reasons = "\n".join(f"  {name}: {reason}" for name, reason in sorted(failed.items()))
            raise EngineError(f"{len(failed)} of {len(expected)} models could not be loaded:\n{reasons}\nTriton's log: {self._log.file}")
        return api.is_ready()

    def _own_reason(self, folder: Path, failed: Mapping[str, str]) -> str:
        """What Triton does not tell of a failed model: what is wrong with its config file, or which step of an ensemble failed."""
        try:
            config = profile_config(folder, self.options.profile)
        except ConfigError as error:
            return str(error)
        steps = sorted({step.model_name for step in config.ensemble_scheduling.step} & set(failed))
        return f"needs {', '.join(steps)}" if steps else ""

    def _default_log(self) -> Path:
        return platformdirs.user_log_path("triptych") / f"triton-{self.ports.grpc}.log"


def _reached(host: str) -> str:
    """Where this machine reaches what is bound to `host`."""
    host = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host
