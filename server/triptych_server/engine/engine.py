"""One running Triton: started on the three repositories, watched until it serves, stopped gracefully, cleaned up after."""

import contextlib
import logging
import secrets
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from triptych_server.engine import http_api
from triptych_server.engine.announce import announce
from triptych_server.engine.command import CONTROL_HEADERS
from triptych_server.engine.control import ControlApi
from triptych_server.engine.drain import unload_all
from triptych_server.engine.key_file import write_key
from triptych_server.engine.launch import Launched, launch
from triptych_server.engine.metrics_page import without_dead_gauges
from triptych_server.engine.model_configs import ModelConfigs
from triptych_server.engine.native_engines import with_bounded_queues, with_kept_engines
from triptych_server.engine.options import LOOPBACK, EngineOptions
from triptych_server.engine.ports import Ports
from triptych_server.engine.running import EngineNote, is_changing
from triptych_server.engine.servable import Servable, find_servable, needs_of_all
from triptych_server.engine.starting import Starting
from triptych_server.engine.stubs import is_living
from triptych_server.engine.triton import Triton, find_triton
from triptych_server.engine.unloading import ON_DEMAND, Unloader
from triptych_server.engine.wanted import Wanted
from triptych_server.engine.watch import Patience, Watch
from triptych_server.errors import EngineError, TritonCrashedError
from triptych_server.serving.idle_models import IdleModels
from triptych_server.serving.load import left_unanswered

POLL_SECONDS = 0.1
START_ATTEMPTS = 5
UNDO_SECONDS = 120.0
"""How long a restart waits for a change of models that the old Triton's end has interrupted."""
IDLE_SECONDS = 2.0
"""For connections that nobody uses, once every model is unloaded."""
METRICS_SECONDS = 5.0
_logger = logging.getLogger(__name__)


class Engine:
    """Use as a context manager: inside the block every model whose weights are in place is ready. All failures are EngineError."""

    def __init__(self, options: EngineOptions) -> None:
        self.options = options
        self.control_key = options.control_key or secrets.token_urlsafe(24)
        self._cleanup = contextlib.ExitStack()  # of what outlives an attempt to start
        self._stopping = contextlib.ExitStack()  # of what asks Triton things while it serves
        self._triton: Triton | None = None
        self._launched: Launched | None = None
        self._servable = Servable((), {})
        self._note: EngineNote | None = None
        self._configs = ModelConfigs(options.repository, options.profile, options.overrides, None)
        self._serving = self._drained = False
        self.wanted = Wanted(options.repository)

    @property
    def ports(self) -> Ports:
        """The ports in use; EngineError before `start`."""
        return self._started.ports

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

    def metrics(self) -> str:
        """Triton's metrics page, without the gauges that dead processes have left there. OSError when it does not answer."""
        triton = self._started.process.pid
        return without_dead_gauges(http_api.text(self.metrics_url, {}, METRICS_SECONDS), lambda pid: is_living(pid, triton))

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
        return self._launched.log.file if self._launched else None

    @property
    def pid(self) -> int | None:
        """Triton's process id while it runs."""
        return self._launched.process.pid if self._launched and self._launched.runs else None

    def start(self) -> None:
        """Start Triton and wait until every model is ready. Models without weights, and those that need them, are left out;
        a warning says which.

        EngineError when no network has weights, a port is taken, Triton ends, a model fails (the text says which and why),
        or `start_timeout` passes; nothing is left running then.
        """
        if self.pid is not None:
            raise EngineError("this engine is running already; stop it first, or make another")
        self._launched = None
        try:
            self._announce()
            self._servable = find_servable(self.options.repository)
            if self._servable.left_out:
                self._say_left_out()
            triton = self._triton = find_triton(self.options.triton)
            self._configs = ModelConfigs(self.options.repository, self.options.profile, self.options.overrides, self._note)
            overrides = with_kept_engines(self.options.overrides, triton, self.options.repository)
            overrides = with_bounded_queues(overrides, triton, self._configs.of_the_start(self._servable.models).values())
            self._configs = replace(self._configs, overrides=overrides)
            self._start_triton(triton, time.monotonic() + self.options.start_timeout)
            for file in write_key((self.ports.grpc, self.ports.http), self.control_key):
                self._cleanup.callback(file.unlink, missing_ok=True)
            self._tell_note()
        except BaseException:
            self.stop()
            raise

    def left_unanswered(self, model: str) -> bool:
        """Whether a process of the model has died with requests that it had taken over: Triton will never answer them. Told once."""
        return self._launched is not None and left_unanswered(model, self._launched.loads)

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
        profile = self._configs.profile  # it may have been changed since
        self.options, self._configs = replace(self.options, profile=profile), replace(self._configs, config_name=profile)
        self._servable = find_servable(self.options.repository)
        self._start_triton(self._triton, time.monotonic() + self.options.start_timeout)
        self._tell_note()

    def kill(self) -> None:
        """End Triton at once; what it leaves is removed by `stop`."""
        if self._launched:
            self._launched.kill()

    @property
    def control(self) -> ControlApi:
        """Its control API."""
        return ControlApi(self.http_url, self.control_headers)

    @property
    def staging(self) -> Path:
        """An empty model repository of this Triton's own; EngineError before `start`."""
        return self._started.staging

    def new_watch(self, patience: Patience) -> Watch:
        """Over the Triton that runs now."""
        started = self._started
        return Watch(started.process, started.stubs, started.log, self.control, self.metrics_url, self.wanted, patience)

    def load(self, model: str, timeout: float) -> None:
        """Load a model that is not loaded, as the start did. EngineError when that fails."""
        self.control.load(model, self._configs.given(model), timeout)

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
                self._launch(triton, deadline)
                self.wanted.start(self.models)
                self._serving, self._drained = True, False
                if idle := self._started.idle:
                    self._unload_idle(idle)
                return
            except TritonCrashedError as error:
                if attempt == START_ATTEMPTS:
                    raise
                _logger.warning("starting Triton again (%d of %d): %s", attempt + 1, START_ATTEMPTS, str(error).split("\n")[0])
                self._end_triton()

    def _launch(self, triton: Triton, deadline: float) -> None:
        options, models = self.options, self._servable.models
        overridden = self._configs.overridden(models)
        ours = self._configs.kept_ours(models, overridden)
        if self._launched:
            options = self._launched.ports.wanted_by(options)
        self._launched = launch(options, triton, models, frozenset(overridden), ours, self._note, self.control_key)
        Starting(self._launched, self.control, models, overridden, options.profile, self.control_key).wait(deadline)

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
        needed = {**needs_of_all(self.options.repository), **({ON_DEMAND: set()} if self._started.idle else {})}
        unload_all(self.control, needed, time.monotonic() + self.options.stop_timeout, lambda: self.pid is not None)
        with contextlib.suppress(EngineError):  # it hangs, or has just ended
            self._drained = self.pid is not None and not self.control.ready()

    def _end_triton(self) -> None:
        """The process, and what it leaves."""
        self._stopping.close()
        if self._launched:
            self._launched.end(IDLE_SECONDS if self._drained else self.options.stop_timeout + 5)

    def wait(self, timeout: float | None = None) -> int | None:
        """Block until Triton ends; its exit code, or None when `timeout` seconds passed first."""
        try:
            return self._started.process.wait(timeout)
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
        unloader = Unloader(self.options, self.control, self.wanted, self._configs, idle)
        self._stopping.callback(unloader.stop)
        unloader.start()

    def _announce(self) -> None:
        self._note = announce(self.options.repository)
        if self._note:
            self._cleanup.callback(self._note.remove)

    def _tell_note(self) -> None:
        """Where it serves, and what."""
        if self._note:
            self._note.serving(self.http_url, self.control_headers, self.options.profile, self._configs.overrides)

    @property
    def _started(self) -> Launched:
        """EngineError before `start`."""
        if self._launched is None:
            raise EngineError("the engine has not been started")
        return self._launched


def _reached(host: str) -> str:
    """Where this machine reaches what is bound to `host`."""
    host = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host
