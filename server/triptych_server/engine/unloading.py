"""Idle models are unloaded through model control, one at a time; the model `on_demand` beside them has them loaded when they are asked for.

Unloading ends a model's processes and gives back all of its memory. Nobody's request is lost: Triton answers those under way first, who
calls others goes before them, and a request that comes too late is told so, whereupon our clients ask `on_demand` and send it again.
"""

import contextlib
import logging
import py_compile
import threading
import time
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path

from google.protobuf.json_format import MessageToJson

from triptych_server.engine import http_api
from triptych_server.engine.control import LOAD_SECONDS, ControlApi
from triptych_server.engine.door import Door
from triptych_server.engine.idle import IdleWatch, unloadable
from triptych_server.engine.model_configs import ModelConfigs
from triptych_server.engine.options import EngineOptions
from triptych_server.engine.servable import closure, in_order, needs_of_all
from triptych_server.engine.wanted import Wanted
from triptych_server.errors import RepositoryBusyError, RepositoryReadOnlyError, TriptychServerError
from triptych_server.repository_lock import locked
from triptych_server.serving.idle_models import IdleModels

ON_DEMAND = "on_demand"
LONGEST_POLL = 10.0
TIMEOUT = 5.0
GAP_SECONDS = 0.1
"""Between two models, so that who wants one of them back has its turn."""
_CONFIG = """\
# Written by `triptych serve --model-ttl`: the name of an idle model in, the model loaded, its config out.
name: "on_demand"
backend: "python"
input [
  {{ name: "model" data_type: TYPE_STRING dims: [ 1 ] }},
  {{ name: "load" data_type: TYPE_BOOL dims: [ 1 ] }}  # false: its config alone
]
output [ {{ name: "config" data_type: TYPE_STRING dims: [ 1 ] }} ]
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
parameters {{ key: "door" value {{ string_value: "{door}" }} }}
"""
_logger = logging.getLogger(__name__)


def add_on_demand(staging: Path, scratch: Path) -> IdleModels:
    """Put `on_demand` into the model repository `staging`; the socket between it and the engine will be in `scratch`."""
    idle = IdleModels(staging / ON_DEMAND, scratch / "door")
    (idle.folder / "1").mkdir(parents=True, exist_ok=True)
    (idle.folder / "config.pbtxt").write_text(_CONFIG.format(door=idle.door), encoding="utf-8")
    code = "from triptych_server.serving.on_demand import TritonPythonModel as TritonPythonModel\n"
    (idle.folder / "1" / "model.py").write_text(code, encoding="utf-8")
    return idle


def compile_models(folders: Iterable[Path]) -> None:
    """Write the bytecode of Python models, as their stubs would (isolated, they cannot be told not to). A file that appears once a model is
    loaded makes Triton take it for changed, and load it anew with the next ensemble that needs it; 2.51 does not survive that under load.
    """
    for folder in folders:
        for source in folder.glob("*/model.py"):
            with contextlib.suppress(OSError, py_compile.PyCompileError):  # in a repository that cannot be written stubs write none either
                py_compile.compile(str(source), doraise=True)


class Unloader:
    """Unloads what nobody has asked for in `model_ttl` seconds, and loads it when somebody does, from `start` to `stop`."""

    def __init__(self, options: EngineOptions, control: ControlApi, wanted: Wanted, configs: ModelConfigs, idle: IdleModels) -> None:
        self._repository, self._configs = options.repository, configs
        self._control, self._wanted = control, wanted
        self._idle = idle
        self._watch = IdleWatch(options.model_ttl)
        self._poll = min(options.model_ttl / 4, LONGEST_POLL)
        self._turn = threading.Lock()  # of who loads or unloads, so that nothing is unloaded that has just been asked for
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="unloader", daemon=True)
        self._door = Door(idle.door, self._load)

    def start(self) -> None:
        """Begin to watch. EngineError where no socket can be made."""
        self._door.open()
        self._thread.start()

    def stop(self) -> None:
        """Unload and load nothing any more; returns at once, for what is under way may take its time."""
        self._stopped.set()
        self._door.close()

    def _run(self) -> None:
        pause = self._poll
        while not self._stopped.wait(pause):
            try:
                pause = GAP_SECONDS if self._unload_one() else self._poll
            except Exception as error:  # Triton may be about to end, the disk full: the next look may go well, whatever it was
                if not self._stopped.is_set():
                    _logger.warning("idle models stay loaded for now: %s", error)
                pause = LONGEST_POLL

    def _unload_one(self) -> str:
        """The model that was unloaded; empty where all are in use."""
        if not self._next():
            return ""
        with self._turn, self._nothing_changes() as free:
            name = self._next() if free else ""  # somebody may have asked meanwhile
            if name:
                self._idle.add({name: self._config(name)})
                self._wanted.rest(name)
                try:
                    self._control.unload(name)
                except TriptychServerError:
                    self._wanted.wake(name)  # it may be trouble after all
                    raise
                _logger.info("%s is idle: unloaded until it is asked for", name)
        return name

    def _next(self) -> str:
        uses = _uses(self._control)
        self._wanted.wake(*uses)  # a change of models loads by itself, and nothing is unloaded but from this thread
        idle = self._watch.idle(uses, time.monotonic())
        if not idle:
            return ""
        needed = needs_of_all(self._repository)
        return next(iter(unloadable(set(uses), idle, needed, in_order(self._repository, needed))), "")

    def _load(self, name: str) -> str:
        """Why an idle model, or what it needs, cannot be loaded again; empty once all of it is ready."""
        with self._turn:
            try:
                ready = self._control.ready()
                for each in in_order(self._repository, closure(name, needs_of_all(self._repository))):
                    if each not in ready:
                        self._control.load(each, self._configs.given(each), LOAD_SECONDS)
                        self._wanted.wake(each)
                        _logger.info("%s is loaded again", each)
            except TriptychServerError as error:
                _logger.error("%s is idle, and could not be loaded again: %s", name, error)
                return "the server's log says why"
        return ""

    def _config(self, name: str) -> str:
        return str(MessageToJson(self._configs.of(name), preserving_proto_field_name=True, indent=None))

    @contextlib.contextmanager
    def _nothing_changes(self) -> Iterator[bool]:
        """Whether no `triptych models use` is at work in the repository; it cannot begin meanwhile."""
        try:
            with locked(self._repository, 0):
                yield True
        except RepositoryBusyError:
            yield False
        except RepositoryReadOnlyError:  # then nobody changes it
            yield True


def _uses(control: ControlApi) -> dict[str, Hashable]:
    """By loaded model, counters that differ after every request, answers from the response cache included."""
    found: dict[str, Hashable] = {}
    for row in http_api.get(f"{control.url}/v2/models/stats", control.headers, TIMEOUT)["model_stats"]:
        counts = tuple(sorted((key, value.get("count", 0)) for key, value in row.get("inference_stats", {}).items()))
        found[row["name"]] = (found.get(row["name"]), row.get("last_inference"), counts)
    return found
