"""Model folders on trial: staged models under names of their own, in a repository beside the one that is served."""

import os
import re
import shutil
from collections.abc import Collection, Set
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.overrides import Overrides
from triptych_server.configs.read import profile_config, render_config
from triptych_server.engine.servable import CALLED_BY_PARAMETER
from triptych_server.engine.served_config import served_config
from triptych_server.repository import CONVERTED, WEIGHTS, Repository

ON_TRIAL = "__next"
"""Behind the name of a model on trial; then a number, where a change that was killed left such names in use."""
_SUFFIX = re.compile(rf"{ON_TRIAL}\d*\b")


@dataclass(frozen=True, slots=True)
class Trial:
    """`models` of `staged`, a copy of `repository` that lacks unchanged weights, on trial in the model repository `folder`, with `suffix`
    behind their names. Triton itself reads the configs of the profile `config_name`; "": of `profile`."""

    repository: Repository
    staged: Repository
    folder: Path
    profile: str
    overrides: Overrides
    models: Collection[str]
    suffix: str = ON_TRIAL
    config_name: str = ""

    def name(self, model: str) -> str:
        """A model's name on trial."""
        return model + self.suffix

    def build(self, name: str) -> None:
        """A model folder: the staged one, its weights, and the config of the profile with names on trial. OSError when the disk is full."""
        source, target = self.staged.model(name), self.folder / self.name(name)
        shutil.rmtree(target, ignore_errors=True)
        own = self.repository.root / source.relative_to(self.staged.root)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("configs", "__pycache__"), copy_function=_link)
        for pattern in WEIGHTS:
            if not any(source.glob(f"1/{pattern}")):  # not new
                for weights in own.glob(f"1/{pattern}"):
                    _link(str(weights), str(target / "1" / weights.name))
        if not (source / "1" / "model.onnx").exists():  # or they would be another graph's
            for converted in (own / "1" / target_name for target_name in CONVERTED):
                if converted.is_dir():
                    shutil.copytree(converted, target / "1" / converted.name, copy_function=_link)
        config = self.on_trial(self.overrides.applied(profile_config(source, self.profile), target / "1" / "model.onnx"))
        (target / "config.pbtxt").unlink()  # it may be a link
        (target / "config.pbtxt").write_text(render_config(config), encoding="utf-8")

    def redirected(self, name: str) -> ModelConfig:
        """The config of an ensemble, now in place, under its own name with the models on trial as its steps."""
        config = self.on_trial(profile_config(self.repository.model(name), self.profile))
        config.name = name
        return config

    def overridden(self, name: str) -> ModelConfig | None:
        """What the engine's start made of a model's config, where Triton by itself would read another."""
        return served_config(self.repository.model(name), self.profile, self.overrides, self.config_name or self.profile)

    def on_trial(self, config: ModelConfig) -> ModelConfig:
        """The config with the names of what is swapped replaced by those on trial, its own included."""
        config.name = self.name(config.name)
        for step in config.ensemble_scheduling.step:
            if step.model_name in self.models:
                step.model_name = self.name(step.model_name)
        for parameter in CALLED_BY_PARAMETER:
            if parameter in config.parameters and config.parameters[parameter].string_value in self.models:
                config.parameters[parameter].string_value = self.name(config.parameters[parameter].string_value)
        return config

    def remove(self, name: str) -> None:
        """Delete the folder of a model on trial."""
        shutil.rmtree(self.folder / self.name(name), ignore_errors=True)


def is_on_trial(name: str) -> bool:
    """Whether it is the name of a model on trial."""
    return own_names(name) != name


def own_names(text: str) -> str:
    """A name, or a sentence with names, without what they had on trial."""
    return _SUFFIX.sub("", text)


def free_suffix(names: Set[str]) -> str:
    """One that is behind none of the names."""
    taken = {name.removeprefix(own_names(name)) for name in names}
    return next(suffix for number in count(1) if (suffix := f"{ON_TRIAL}{number if number > 1 else ''}") not in taken)


def _link(source: str, target: str) -> str:
    """A second name for a file, or a copy on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
