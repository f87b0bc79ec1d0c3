"""Serve another hardware profile without a failed request: each model is loaded with its config, and the old one answers until it is.

Unlike another model, another profile changes no shape, so that nothing needs to go on trial under a name of its own.
"""

import contextlib
import logging
from collections.abc import Mapping

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.profiles import check_profile
from triptych_server.configs.read import profile_config
from triptych_server.engine.running import RunningEngine, running_engines
from triptych_server.engine.servable import in_order
from triptych_server.engine.served_config import served_config
from triptych_server.errors import EngineError
from triptych_server.models.swap import recover
from triptych_server.repository import Repository
from triptych_server.repository_lock import locked

_logger = logging.getLogger(__name__)


def use_profile(repository: Repository, profile: str) -> list[str]:
    """Let every engine here that serves the repository change over; their addresses. How they are started another day stays as it was.

    EngineError when one cannot load a model in the profile: all serve what they did before then. ConfigError when there is no such
    profile, or overrides of an engine make no sense in it. RepositoryBusyError when a change of models takes too long.
    """
    check_profile(repository, profile)
    with locked(repository) as notes, contextlib.ExitStack() as undo:
        if recover(notes, repository.roots):
            _logger.warning("an earlier change of models was cut short; its files were put back")
        engines = running_engines(repository).reachable
        for engine in engines:
            if engine.stale:
                raise EngineError(f"the server at {engine.http_url} has loaded other models than those in place; start it anew first")
            models = _differing(engine, repository, profile)
            undo.callback(_load_back, engine, repository, models)
            for name in models:
                _load(engine, repository, name, profile)
        for engine in engines:
            engine.serve_profile(profile)
        undo.pop_all()
    return [engine.http_url for engine in engines]


def _differing(engine: RunningEngine, repository: Repository, profile: str) -> list[str]:
    """The engine's models whose configs differ in the two profiles, those that others need first."""
    there = engine.control.ready() & {folder.name for folder in repository.models()}
    before, after = (_configs(engine, repository, there, each) for each in (engine.profile, profile))
    return in_order(repository, [name for name in there if after[name] != before[name]])


def _configs(engine: RunningEngine, repository: Repository, models: set[str], profile: str) -> Mapping[str, ModelConfig]:
    folders = [repository.model(name) for name in models]
    return {folder.name: engine.overrides.applied(profile_config(folder, profile), folder / "1" / "model.onnx") for folder in folders}


def _load(engine: RunningEngine, repository: Repository, name: str, profile: str) -> None:
    config = served_config(repository.model(name), profile, engine.overrides, engine.config_name)
    if config is None:  # what was given in a load stays, unless the folder's is newer
        (repository.model(name) / "config.pbtxt").touch()
    try:
        engine.control.load(name, config)
    except EngineError as error:
        raise EngineError(f"the server at {engine.http_url} stays with the profile {engine.profile}: {error}") from None


def _load_back(engine: RunningEngine, repository: Repository, models: list[str]) -> None:
    """What was loaded before, also where it still is: Triton does nothing then."""
    for name in models:
        try:
            _load(engine, repository, name, engine.profile)
        except EngineError as error:
            _logger.error("%s may serve another profile than the others, until that server is started anew: %s", name, error)
