"""With which config each model is loaded: its profile's, with what the user laid over it, and of the profile that is in use now."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.overrides import Overrides
from triptych_server.configs.read import OUR_RUNTIME, profile_config
from triptych_server.engine.running import EngineNote
from triptych_server.engine.servable import closure, in_order, needs_of_all
from triptych_server.engine.served_config import served_config
from triptych_server.errors import ConfigError
from triptych_server.repository import Repository


@dataclass(frozen=True, slots=True)
class ModelConfigs:
    """Of one Triton, which was started with the profile `config_name`; a change of the profile is told by the engine's note."""

    repository: Repository
    config_name: str
    overrides: Overrides
    note: EngineNote | None

    @property
    def profile(self) -> str:
        """The one in use now."""
        return self.note.now().profile or self.config_name if self.note else self.config_name

    def of(self, model: str) -> ModelConfig:
        """What the model is served with when it is loaded now. ConfigError when that cannot be read."""
        folder = self.repository.model(model)
        return self.overrides.applied(profile_config(folder, self.profile), _graph(folder))

    def given(self, model: str) -> ModelConfig | None:
        """What Triton must be given with a load; None where it reads the same by itself."""
        return served_config(self.repository.model(model), self.profile, self.overrides, self.config_name)

    def of_the_start(self, folders: Iterable[Path]) -> dict[str, ModelConfig]:
        """By model, what Triton reads by itself, without those that cannot be read."""
        configs = {}
        for folder in folders:
            with contextlib.suppress(ConfigError):  # Triton is to say what is wrong with it
                configs[folder.name] = profile_config(folder, self.config_name)
        return configs

    def overridden(self, folders: Sequence[Path]) -> dict[str, ModelConfig | None]:
        """What is to be loaded with another config than its folder's, and None for what needs such a model; in the order of loading.

        ConfigError when an override fits no model."""
        configs = self.of_the_start(folders)
        self.overrides.check(configs.values())
        graphs = {folder.name: _graph(folder) for folder in folders}
        applied = {name: self.overrides.applied(config, graphs[name]) for name, config in configs.items()}
        changed = {name: config for name, config in applied.items() if config != configs[name]}
        needed = needs_of_all(self.repository)
        later = [name for name in graphs if closure(name, needed) & set(changed)]
        return {name: changed.get(name) for name in in_order(self.repository, later)}

    def kept_ours(self, folders: Iterable[Path], overridden: Mapping[str, ModelConfig | None]) -> set[str]:
        """The backends that some model wants ours of, by its `runtime`, wherever Triton has its own: all models of them get ours then."""
        configs = [*self.of_the_start(folders).values(), *filter(None, overridden.values())]
        return {config.backend for config in configs if config.runtime == OUR_RUNTIME}


def _graph(folder: Path) -> Path:
    return folder / "1" / "model.onnx"
