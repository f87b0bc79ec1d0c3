"""Serve another hardware profile without a failed request: the way of a change of models (`hot_swap`), from the files that are there.

Loading a model anew under the requests for it would be simpler, and takes Triton 2.51 down: a response of the old one, still being sent,
is freed twice.
"""

import contextlib
import logging
from dataclasses import replace

from triptych_server.configs.profiles import check_profile
from triptych_server.configs.read import profile_config
from triptych_server.engine.running import RunningEngine, running_engines
from triptych_server.errors import EngineError
from triptych_server.models.hot_swap import Swap, affected
from triptych_server.models.swap import recover
from triptych_server.models.trial import Trial, free_suffix, is_on_trial, own_names
from triptych_server.repository import Repository
from triptych_server.repository_lock import locked

_logger = logging.getLogger(__name__)


def use_profile(repository: Repository, profile: str) -> list[str]:
    """Let every engine here that serves the repository change over; their addresses. How they are started another day stays as it was.

    EngineError when one cannot load a model in the profile: it serves what it did before then. ConfigError when there is no such
    profile, or overrides of an engine make no sense in it. RepositoryBusyError when a change of models takes too long.
    """
    check_profile(repository, profile)
    with locked(repository) as notes:
        if recover(notes, repository.roots):
            _logger.warning("an earlier change of models was cut short; its files were put back")
        engines = running_engines(repository).reachable
        for engine in engines:
            if engine.stale:
                raise EngineError(f"the server at {engine.http_url} has loaded other models than those in place; start it anew first")
            _change_over(engine, repository, profile)
    return [engine.http_url for engine in engines]


def _change_over(engine: RunningEngine, repository: Repository, profile: str) -> None:
    ready = engine.control.ready()
    changed = {name for name in ready if not is_on_trial(name) and _differs(engine, repository, name, profile)}
    models = [name for name in affected(repository, repository, changed) if name in ready]
    ensembles = [name for name in models if repository.model(name).parent == repository.ensembles]
    suffix = free_suffix({name for name in ready if is_on_trial(name)})
    trial = Trial(repository, repository, engine.staging, profile, engine.overrides, models, suffix, engine.config_name)
    swap = Swap(engine.control, trial, models, ensembles, ready)
    try:
        swap.rehearse()
        engine.mark(stale=True)  # until it is done: should this process be killed, the next change loads everything anew
        swap.switch()
        replace(engine, stale=False).serve_profile(profile)
    except BaseException as error:
        swap.trial = replace(trial, profile=engine.profile)
        problems = swap.undo() if swap.pointed else []
        engine.mark(stale=bool(problems))
        if isinstance(error, EngineError):
            reason = "; ".join([own_names(str(error)), *problems])
            raise EngineError(f"the server at {engine.http_url} stays with the profile {engine.profile}: {reason}") from None
        raise
    finally:
        with contextlib.suppress(OSError):
            swap.clear()


def _differs(engine: RunningEngine, repository: Repository, name: str, profile: str) -> bool:
    folder = repository.model(name)
    now, then = (engine.overrides.applied(profile_config(folder, each), folder / "1" / "model.onnx") for each in (engine.profile, profile))
    return bool(now != then)
