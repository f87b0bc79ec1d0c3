"""What `triptych serve` lays over the configs: devices by its options, and what Immich's environment variables say."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from triptych.cli.console import CommandError, err
from triptych.cli.models.fetch import progress_bar

if TYPE_CHECKING:
    from triptych_server.configs.overrides import Overrides
    from triptych_server.engine import EngineOptions
    from triptych_server.engine.immich_environment import ImmichSettings
    from triptych_server.repository import Repository

OPENVINO = "openvino"


def from_environment(repository: Repository) -> ImmichSettings:
    """What Immich's variables say: its models are put in place, the rest is returned."""
    from triptych_server.engine.immich_environment import PREFIX, immich_settings
    from triptych_server.models.cache import Cache
    from triptych_server.models.model_name import model_name
    from triptych_server.models.pull import REVISION
    from triptych_server.models.use_named import ensure_named

    settings = immich_settings(os.environ)
    for note in settings.notes:
        err().print(note, markup=False, soft_wrap=True)
    organisation, revision = (os.environ.get(PREFIX + name) or None for name in ("MODEL_ORGANIZATION", "MODEL_REVISION"))
    for name in settings.models:
        with progress_bar(name) as watcher:
            ensure_named(model_name(name, organisation), repository, cache=Cache.locate(), revision=revision or REVISION, watcher=watcher)
    return settings


def chosen_overrides(
    options: EngineOptions, environment: Overrides, device_ids: str | None, place: list[str], target_device: str | None = None
) -> Overrides:
    """The options of the command before those of the environment, whose devices mean nothing where there is no GPU."""
    from triptych_server.configs.read import profile_config

    configs = [profile_config(folder, options.profile) for folder in options.repository.models()]
    if target_device is not None:
        if not any(config.backend == OPENVINO for config in configs):
            raise CommandError(
                f"--target-device is {target_device}, but no model of the profile {options.profile} runs in OpenVINO; leave it out"
            )
        said = {**environment.parameters.get(OPENVINO, {}), "TARGET_DEVICE": target_device}
        environment = replace(environment, parameters={**environment.parameters, OPENVINO: said})
    devices = environment.device_ids
    if device_ids is not None:
        devices = _devices("--device-ids", device_ids)
    elif devices and not environment.run_on_gpus(configs):
        err().print(f"MACHINE_LEARNING_DEVICE_IDS has no effect: the profile {options.profile} uses no GPU")
        devices = ()
    placed: dict[str, tuple[int, ...]] = {}
    for item in place:
        model, _, ids = item.partition("=")
        if model in placed:
            raise CommandError(f"--place {model} is given twice; name all of its devices in one: {model}=0,1")
        placed[model] = _devices(f"--place {model}", ids)
    return replace(environment, device_ids=devices, place={**environment.place, **placed})


def _devices(option: str, text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise CommandError(f"{option} is {text!r}; expected device numbers with commas between them: 0 or 0,1")
    return tuple(map(int, parts))
