"""Another program, run to its end or stopped whole: a command in, what it printed out."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from triptych_server.errors import ConversionError

_LINES = 12


def run(command: Sequence[str], cwd: Path, timeout: float, what: str) -> str:
    """Run a command, whose name in errors is `what`; returns stdout and stderr as they came. The user's PYTHON* variables stay outside.

    ConversionError when it fails or is not done after `timeout` seconds; its children are then stopped with it.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        printed = process.communicate(timeout=timeout)[0].decode("utf-8", "replace")
    except BaseException as error:  # Ctrl-C too
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise ConversionError(f"{what} was not done after {timeout:g} s and has been stopped") from None
        raise
    if process.returncode:
        raise ConversionError(f"{what} failed (exit code {process.returncode}):\n{last_lines(printed)}")
    return printed


def last_lines(printed: str, count: int = _LINES) -> str:
    """The last lines that say something; of a progress bar its last state."""
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in printed.strip().splitlines()]
    return "\n".join([line for line in lines if line][-count:])
