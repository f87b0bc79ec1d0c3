"""The control key of a running engine where commands of the same user find it: a file for each of its ports, readable by nobody else."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import platformdirs

_logger = logging.getLogger(__name__)


def key_file(port: int) -> Path:
    """Where the key of what listens at `port` is; `triptych status` looks there."""
    return platformdirs.user_state_path("triptych") / "control" / str(port)


def write_key(ports: Iterable[int], key: str) -> list[Path]:
    """Leave the key for each port; the files that were written, to be removed at the end. A folder that cannot be written is told."""
    written = []
    try:
        for file in map(key_file, ports):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.unlink(missing_ok=True)  # of an engine that was killed
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as content:
                content.write(key)
            written.append(file)
    except OSError as error:
        _logger.warning("`triptych status` will not find the control key, and see the models only that are ready: %s", error)
    return written
