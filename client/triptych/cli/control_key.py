"""The control key of a server, which no command takes as an argument: every user of the machine sees those."""

import ipaddress
import os
from pathlib import Path

from triptych.cli.console import CommandError
from triptych.endpoint import Endpoint

VARIABLE = "TRIPTYCH_CONTROL_KEY"


def given_key(file: Path | None) -> str | None:
    """The first line of the file, or the variable; CommandError for a file without one."""
    if file is None:
        return os.environ.get(VARIABLE) or None
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--control-key-file {file} cannot be read: {error}") from None
    if not key:
        raise CommandError(f"--control-key-file {file} is empty; expected the key: openssl rand -hex 32")
    return key


def noted_key(url: str) -> str | None:
    """What a server of this user on this machine noted, so that only its user needs no key."""
    endpoint = Endpoint.parse(url)
    if not _is_loopback(endpoint.host):
        return None
    state = Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser()
    try:
        return (state / "triptych" / "control" / str(endpoint.port)).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
