"""What Arm NN keeps between starts, in folders of ours: how it tuned a GPU's kernels, and the kernels as they were compiled."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from triptych_server.errors import ConfigError
from triptych_server.sessions.armnn_delegate import loaded_files
from triptych_server.sessions.armnn_options import GPU, ArmnnOptions
from triptych_server.sessions.engine_cache import engine_folder
from triptych_server.sessions.protocol import SessionSettings


def with_tuning_file(settings: SessionSettings, options: ArmnnOptions) -> ArmnnOptions:
    """The options with a file of ours where none is named: one for each network, precision and level. Once that is written, the level
    is 0: there is nothing left to tune, and many releases of Arm NN read a file at level 0 only, and tune anew at any other.

    ConfigError for a file of the user's that can be neither read nor written, DeviceError where ours cannot be kept.
    """
    if GPU not in options.backends:
        return options
    if options.tuning_file:
        _check_named(settings.model, Path(options.tuning_file), options.tuning_level)
        return options
    folder, level = _folder(settings, options), options.tuning_level
    written = sorted(folder.glob(f"{options.precision}-{level or '*'}.tuning"))
    if tuned := [file for file in written if file.stat().st_size]:  # some releases leave an empty one when nothing ran
        return replace(options, tuning_file=str(tuned[-1]), tuning_level=0)
    return replace(options, tuning_file=str(folder / f"{options.precision}-{level}.tuning")) if level else options


def kernels_file(settings: SessionSettings, options: ArmnnOptions) -> Path | None:
    """Where compiled kernels are kept; None where they are not."""
    if not options.cached or GPU not in options.backends:
        return None
    return _folder(settings, options) / f"{options.precision}.anncache"


@contextmanager
def kernels_kept_in(file: Path | None) -> Iterator[tuple[str, bool]]:
    """The file for a delegate whose network is loaded inside the block, and whether it shall save kernels there.

    Arm NN saves only to a file that exists, and half of one ends the process that reads it; so it is put in place when it is whole.
    """
    if file is None or file.is_file():
        yield str(file or ""), False
        return
    staging = file.with_name(f".{file.name}.{os.getpid()}")
    staging.write_bytes(b"")
    try:
        yield str(staging), True
        if staging.stat().st_size:
            staging.replace(file)
    finally:
        staging.unlink(missing_ok=True)


def _check_named(model: str, file: Path, level: int) -> None:
    if level == 0 and not file.is_file():
        raise ConfigError(f"{model}: tuning_file {file} is not there, and tuning_level 0 only reads it; tune with 1 to 3 first")
    if not file.parent.is_dir():
        raise ConfigError(f"{model}: tuning_file {file} cannot be written: there is no folder {file.parent}")


def _folder(settings: SessionSettings, options: ArmnnOptions) -> Path:
    """For a network and these very libraries: kernels of another driver are refused, and Arm NN does not survive that."""
    stamps = [f"{file}-{file.stat().st_size}-{file.stat().st_mtime_ns}" for file in loaded_files(options.library) if file.is_file()]
    return engine_folder(settings, f"armnn-{hashlib.sha256(''.join(stamps).encode()).hexdigest()[:12]}")
