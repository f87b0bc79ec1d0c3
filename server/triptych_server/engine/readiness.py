"""Ask a starting Triton whether it serves, and which model does not."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class ModelState:
    """One line of Triton's repository index: READY, LOADING, UNLOADING, UNAVAILABLE, or empty for a folder Triton could not read."""

    name: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class HealthApi:
    """Triton's HTTP health and index endpoints; `headers` carry the control key where it is needed."""

    url: str
    headers: Mapping[str, str]

    def is_live(self) -> bool:
        """Whether the server answers at all; it does so once every model has been loaded or has failed."""
        return self._status("/v2/health/live") == HTTPStatus.OK

    def is_ready(self) -> bool:
        """Whether the server and all its models are ready."""
        return self._status("/v2/health/ready") == HTTPStatus.OK

    def index(self) -> list[ModelState]:
        """Every model with its state. Raises OSError when the server does not answer."""
        request = urllib.request.Request(f"{self.url}/v2/repository/index", data=b"{}", headers=dict(self.headers), method="POST")
        with _open(request) as response:
            return [ModelState(item["name"], item.get("state", ""), item.get("reason", "")) for item in json.load(response)]

    def _status(self, path: str) -> int:
        try:
            with _open(self.url + path) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0


def _open(request: str | urllib.request.Request) -> Any:
    """Ask the server itself, whatever proxy the environment names."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=TIMEOUT)


def not_ready(index: list[ModelState], expected: Iterable[str], from_log: Mapping[str, str]) -> dict[str, str]:
    """Models that are expected but not ready, each with the best reason there is: the index's, the log's, or that there is none.

    The index alone is asked, for the server calls itself ready even when it could not read a model's config.
    """
    states = {model.name: model for model in index}
    failed = {}
    for name in expected:
        model = states.get(name, ModelState(name, "", ""))
        if model.state != "READY":
            failed[name] = _plain(model.reason or from_log.get(name, "") or "Triton gives no reason; see its log")
    return failed


def _plain(reason: str) -> str:
    """A Python model's failure reads `Internal: <Class>: <text>` with a traceback below: keep class and text."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    return lines[0].removeprefix("Internal: ").removeprefix("Invalid argument: ") if lines else reason
