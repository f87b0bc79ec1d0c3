"""Triton's HTTP API as far as the engine needs it: one request at a time, never through a proxy."""

import contextlib
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any


def post(url: str, body: Mapping[str, Any], headers: Mapping[str, str], timeout: float) -> Any:
    """Send JSON, return the answer's JSON (None when it is empty). Raises OSError; HTTPError is one; ValueError for what is no JSON."""
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=dict(headers), method="POST")
    with _open(request, timeout) as response:
        content = response.read()
    return json.loads(content) if content else None


def get(url: str, headers: Mapping[str, str], timeout: float) -> Any:
    """The JSON at an address. Raises OSError; HTTPError is one; ValueError for what is no JSON."""
    return json.loads(text(url, headers, timeout))


def text(url: str, headers: Mapping[str, str], timeout: float) -> str:
    """What stands at an address. Raises OSError; HTTPError is one."""
    with _open(urllib.request.Request(url, headers=dict(headers)), timeout) as response:
        return str(response.read().decode("utf-8", "replace"))


def status(url: str, timeout: float) -> int:
    """The HTTP status of a GET; 0 when nothing answers."""
    try:
        with _open(url, timeout) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@contextlib.contextmanager
def _open(request: str | urllib.request.Request, timeout: float) -> Iterator[http.client.HTTPResponse]:
    """Ask the server itself, whatever proxy the environment names. One that ends amid its answer is an OSError, too."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=timeout) as response:
            yield response
    except http.client.HTTPException as error:
        raise ConnectionError(f"the answer broke off ({error!r})") from error
