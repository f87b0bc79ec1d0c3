"""See a launched Triton through its start: load what wants another config than its folder's, wait until every model is ready."""

import contextlib
import logging
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.read import profile_config
from triptych_server.engine.control import ControlApi
from triptych_server.engine.hidden_argument import hide_argument
from triptych_server.engine.launch import Launched
from triptych_server.engine.readiness import HealthApi, not_ready
from triptych_server.engine.start_watch import StartWatch
from triptych_server.errors import ConfigError, EngineError

POLL_SECONDS = 0.1
_logger = logging.getLogger(__name__)


class Starting:
    """Of one Triton. `models`: the folders of those that it loads; `overridden`: which of them are to be loaded by us, in order, and with
    which config (None: the folder's); `key`: of its control APIs, hidden from other users; `profile`: what it was started with."""

    def __init__(
        self,
        launched: Launched,
        control: ControlApi,
        models: Sequence[Path],
        overridden: Mapping[str, ModelConfig | None],
        profile: str,
        key: str,
    ) -> None:
        self._launched, self._control, self._profile, self._key = launched, control, profile, key
        self._expected = [*models, *([launched.idle.folder] if launched.idle else [])]
        self._overridden = dict(overridden)

    def wait(self, deadline: float) -> None:
        """Return when every model is ready. EngineError when one cannot be loaded, Triton ends or hangs, or `deadline` (of
        `time.monotonic`) passes."""
        watch = StartWatch(self._launched.process, self._launched.log, deadline)
        api, key_shows = HealthApi(self._control.url, self._control.headers), True
        while True:
            watch.check()
            self._launched.stubs.look()  # one that dies before the watch begins must be known by then
            if key_shows and self._launched.log.has_begun():
                key_shows = False
                self._hide_key()
            if api.is_live():
                self._load_overridden(watch)
                if self._all_ready(api):
                    return
            time.sleep(POLL_SECONDS)

    def _hide_key(self) -> None:
        """Triton takes the control key as an argument only, and every user of the machine sees those."""
        try:
            hide_argument(self._launched.process.pid, self._key)
        except OSError as error:
            if self._launched.runs:
                _logger.warning("other users of this machine can read the control key in Triton's command line: %s", error)

    def _load_overridden(self, watch: StartWatch) -> None:
        """Load what wants another config than its folder's, once; a Triton that dies or hangs meanwhile is not waited for."""
        while self._overridden:
            name, config = next(iter(self._overridden.items()))
            loader = ThreadPoolExecutor(1, thread_name_prefix="load")
            loading = loader.submit(self._control.load, name, config, max(watch.left, 1.0))
            loader.shutdown(wait=False)  # a stop need not wait for it: it ends with Triton
            while not loading.done():
                watch.check()
                wait([loading], POLL_SECONDS)
            if loading.exception() is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._launched.process.wait(1)  # it may be about to end
                watch.check()
            loading.result()
            del self._overridden[name]

    def _all_ready(self, api: HealthApi) -> bool:
        """Whether every model is ready; False while some still load; EngineError naming those that failed, and why."""
        try:
            index = api.index()
        except (OSError, ValueError):  # it died, or somebody else answers there: the next look tells
            return False
        if any(model.state in {"LOADING", "UNLOADING"} for model in index):
            return False
        log, expected = self._launched.log, self._expected
        failed = not_ready(index, [folder.name for folder in expected], log.failures())
        failed.update(
            {folder.name: reason for folder in expected if folder.name in failed and (reason := self._own_reason(folder, failed))}
        )
        if failed:
            reasons = "\n".join(f"  {name}: {reason}" for name, reason in sorted(failed.items()))
            raise EngineError(f"{len(failed)} of {len(expected)} models could not be loaded:\n{reasons}\nTriton's log: {log.file}")
        return api.is_ready()

    def _own_reason(self, folder: Path, failed: Mapping[str, str]) -> str:
        """What Triton does not tell of a failed model: what is wrong with its config file, or which step of an ensemble failed."""
        try:
            config = profile_config(folder, self._profile)
        except ConfigError as error:
            return str(error)
        steps = sorted({step.model_name for step in config.ensemble_scheduling.step} & set(failed))
        return f"needs {', '.join(steps)}" if steps else ""
