"""The compose implementation of this machine: `docker compose`, else Debian's docker-compose. No engine is asked."""

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml


@cache
def _command() -> list[str] | None:
    for command in (["docker", "compose"], ["docker-compose"]):
        try:
            subprocess.run([*command, "version"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    return None


def resolved(file: Path, **environment: str) -> dict:
    """What `config` makes of a compose file: checked against the schema, variables and `extends` resolved."""
    command = _command()
    if command is None:
        pytest.skip("neither `docker compose` nor docker-compose is installed")
    given = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run([*command, "-f", file, "config"], env={**given, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)
