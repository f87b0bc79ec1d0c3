"""The control key of a server, which no command takes as an argument: every user of the machine sees those."""

import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path

from triptych.cli.console import CommandError
from triptych.endpoint import Endpoint

VARIABLE = "TRIPTYCH_CONTROL_KEY"
CONTROL_HEADERS = ("triptych-control", "triton-grpc-protocol-triptych-control")
"""What `triptych serve` wants its control key in, over HTTP and over gRPC."""


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


def noted_headers(urls: Iterable[str]) -> dict[str, dict[str, str]]:
    """For each server whose key is noted, the headers that carry it."""
    keys = {url: noted_key(url) for url in urls}
    return {url: dict.fromkeys(CONTROL_HEADERS, key) for url, key in keys.items() if key}


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
