"""Triton's model control: load a model, anew or with another config, and unload it, while it serves."""

import json
import secrets
import time
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from google.protobuf.json_format import MessageToJson
from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.engine import http_api
from triptych_server.engine.readiness import HealthApi, ModelState, plain_reason
from triptych_server.errors import EngineError

LOAD_SECONDS = 900.0
"""A large network on an accelerator compiles for minutes."""
DRAIN_SECONDS = 120.0
"""How long the last requests of an unloaded model are waited for; queues give them up after 60."""
_POLL_SECONDS = 0.05
_ASK_SECONDS = 10.0
THERE = ("READY", "UNLOADING", "LOADING")
"""States of a model that is not lost."""


@dataclass(frozen=True, slots=True)
class ControlApi:
    """The control API of one Triton; `headers` carry the control key where it is needed. All failures are EngineError."""

    url: str
    headers: Mapping[str, str]

    def load(self, model: str, config: ModelConfig | None = None, timeout: float = LOAD_SECONDS) -> None:
        """Load a model that is not loaded, or load it anew: from its folder, or with `config` instead of the folder's.

        The loaded one serves until the new one is ready, and goes on when that fails.
        """
        given = {"config": MessageToJson(config, preserving_proto_field_name=True)} if config is not None else {}
        self._post(model, "load", given, timeout)

    def renew(self, model: str, timeout: float = LOAD_SECONDS) -> None:
        """Load a model that is loaded once more, with the config that it has and new processes; needs nothing but this API.

        Triton keeps the processes, dead ones too, when nothing but instances differ: so a field differs that no Python model reads.
        """
        config = self.config(model)
        config["cc_model_filenames"] = {"renewed": secrets.token_hex(4)}
        self._post(model, "load", {"config": json.dumps(config)}, timeout)

    def config(self, model: str) -> dict[str, Any]:
        """The config that a model was loaded with, in JSON's form."""
        try:
            found: dict[str, Any] = http_api.get(f"{self.url}/v2/models/{model}/config", self.headers, _ASK_SECONDS)
        except urllib.error.HTTPError as error:
            raise EngineError(f"{self.url} does not tell the config of {model}: {_reason(error.read())}") from None
        except (OSError, ValueError) as error:
            raise EngineError(f"{self.url} did not tell the config of {model}: {error}") from None
        return found

    def unload(self, model: str, drain: float = DRAIN_SECONDS) -> None:
        """Take no more requests for a model, and wait (`drain` seconds at most) until those under way are answered."""
        self._post(model, "unload", {}, LOAD_SECONDS)
        deadline = time.monotonic() + drain
        while self.states().get(model) in THERE and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def models(self) -> dict[str, ModelState]:
        """Every model by name, as in Triton's repository index; of several versions the best."""
        try:
            index = HealthApi(self.url, self.headers).index()
        except (OSError, ValueError) as error:
            raise EngineError(f"{self.url} did not say what it has loaded: {error}") from None
        found: dict[str, ModelState] = {}
        for model in index:
            if model.name not in found or found[model.name].state not in THERE:
                found[model.name] = model
        return found

    def states(self) -> dict[str, str]:
        """The state of every model by name."""
        return {name: model.state for name, model in self.models().items()}

    def ready(self) -> set[str]:
        """The models that answer."""
        return {name for name, state in self.states().items() if state == "READY"}

    def _post(self, model: str, action: str, parameters: Mapping[str, str], timeout: float) -> None:
        body = {"parameters": parameters} if parameters else {}
        try:
            http_api.post(f"{self.url}/v2/repository/models/{model}/{action}", body, self.headers, timeout)
        except urllib.error.HTTPError as error:
            reason = _reason(error.read())
            if error.code == HTTPStatus.FORBIDDEN:
                raise EngineError(f"{self.url} wants its control key; set TRIPTYCH_CONTROL_KEY") from None
            raise EngineError(f"{model} could not be {action}ed: {reason}") from None
        except OSError as error:
            raise EngineError(f"{self.url} did not answer when {model} was to be {action}ed: {error}") from None


def _reason(content: bytes) -> str:
    try:
        text = str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        text = content.decode(errors="replace")
    return plain_reason(text.partition(", ")[2] if text.startswith("failed to load") else text)
