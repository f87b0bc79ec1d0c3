"""One file from a hub to the disk: what is there already is kept, the rest is asked for, a broken connection is taken up again.

huggingface_hub (since 1.18) throws away what an interrupted download left behind, so this goes by itself on its session.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
from huggingface_hub import get_session, hf_raise_for_status
from huggingface_hub.errors import HfHubHTTPError

from triptych_server.errors import HubError
from triptych_server.models.hub import Hub

TRIES = 5
"""How often in a row nothing may come before the download is given up."""

_PASSING = (408, 416, 425, 429, 500, 502, 503, 504)

Advance = Callable[[int], None]
"""Told how many bytes came; a negative number where some were thrown away."""


def download(hub: Hub, url: str, target: Path, size: int, advance: Advance) -> None:
    """Bring `target` to `size` bytes of `url`. What it holds counts as the beginning; more than `size` is thrown away.

    Raises what the HTTP client or huggingface_hub raise, when TRIES attempts in a row brought nothing; `target` keeps what came.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch()
    fruitless = 0
    while (before := target.stat().st_size) != size:
        failure: Exception | None = None
        try:
            _ask(hub, url, target, before, advance)
        except (httpx2.TransportError, HfHubHTTPError) as error:
            if isinstance(error, HfHubHTTPError) and error.response.status_code not in _PASSING:
                raise
            failure = error
        after = target.stat().st_size
        if after > size:
            _clear(target, advance)
        fruitless = 0 if before < after <= size else fruitless + 1
        if fruitless == TRIES:
            raise failure or HubError(f"{hub.endpoint} sends {after} bytes of {target.name} where it said {size}; pull again later")
        if failure is not None:
            time.sleep(hub.pause * 2**fruitless)


def _ask(hub: Hub, url: str, target: Path, have: int, advance: Advance) -> None:
    """One request for what comes after `have` bytes, to the end or until it breaks."""
    headers = hub.headers | {"accept-encoding": "identity"}  # else sizes and ranges would be those of the packed bytes
    if have:
        headers["range"] = f"bytes={have}-"
    with get_session().stream("GET", url, headers=headers, timeout=hub.timeout, follow_redirects=True) as response:
        if response.status_code == 416:  # nothing comes after what is here: it is of another file
            _clear(target, advance)
        hf_raise_for_status(response)
        goes_on = response.status_code == 206 and response.headers.get("content-range", "").startswith(f"bytes {have}-")
        if have and not goes_on:
            _clear(target, advance)
        with target.open("ab") as file:
            for chunk in response.iter_bytes():  # as they come: gathered into chunks, the last ones before a break would be lost
                file.write(chunk)
                advance(len(chunk))
            file.flush()
            os.fsync(file.fileno())


def _clear(target: Path, advance: Advance) -> None:
    advance(-target.stat().st_size)
    target.write_bytes(b"")
