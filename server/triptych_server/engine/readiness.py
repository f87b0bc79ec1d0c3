"""Ask a starting Triton whether it serves, and which model does not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from triptych_server.engine import http_api

TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class ModelState:
    """One line of Triton's repository index: READY, LOADING, UNLOADING, UNAVAILABLE, or empty for a folder Triton could not read."""

    name: str
    state: str
    reason: str

    @property
    def rests(self) -> bool:
        """Whether it was unloaded by somebody's will, and not by a failure."""
        return (self.state, self.reason) == ("UNAVAILABLE", "unloaded")


@dataclass(frozen=True, slots=True)
class HealthApi:
    """Triton's HTTP health and index endpoints; `headers` carry the control key where it is needed."""

    url: str
    headers: Mapping[str, str]

    def is_live(self) -> bool:
        """Whether the server answers at all; it does so once every model has been loaded or has failed."""
        return http_api.status(f"{self.url}/v2/health/live", TIMEOUT) == HTTPStatus.OK

    def is_ready(self) -> bool:
        """Whether the server and all its models are ready."""
        return http_api.status(f"{self.url}/v2/health/ready", TIMEOUT) == HTTPStatus.OK

    def index(self) -> list[ModelState]:
        """Every model with its state. Raises OSError when the server does not answer."""
        answer = http_api.post(f"{self.url}/v2/repository/index", {}, self.headers, TIMEOUT)
        return [ModelState(item["name"], item.get("state", ""), item.get("reason", "")) for item in answer]


def not_ready(index: list[ModelState], expected: Iterable[str], from_log: Mapping[str, str]) -> dict[str, str]:
    """Models that are expected but not ready, each with the best reason there is: the index's, the log's, or that there is none.

    The index alone is asked, for the server calls itself ready even when it could not read a model's config.
    """
    states = {model.name: model for model in index}
    failed = {}
    for name in expected:
        model = states.get(name, ModelState(name, "", ""))
        if model.state != "READY":
            failed[name] = plain_reason(model.reason or from_log.get(name, "") or "Triton gives no reason; see its log")
    return failed


def plain_reason(reason: str) -> str:
    """A Python model's failure reads `Internal: <Class>: <text>` with a traceback below: keep class and text."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    return lines[0].removeprefix("Internal: ").removeprefix("Invalid argument: ") if lines else reason
