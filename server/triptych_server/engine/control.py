"""Triton's model control: load a model, anew or with another config, and unload it, while it serves."""

import json
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from google.protobuf.json_format import MessageToJson
from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.engine import http_api
from triptych_server.engine.readiness import plain_reason
from triptych_server.errors import EngineError

LOAD_SECONDS = 900.0
"""A large network on an accelerator compiles for minutes."""


@dataclass(frozen=True, slots=True)
class ControlApi:
    """The control API of one Triton; `headers` carry the control key where it is needed. All failures are EngineError."""

    url: str
    headers: Mapping[str, str]

    def load(self, model: str, config: ModelConfig | None = None) -> None:
        """Load a model that is not loaded, or load it anew: from its folder, or with `config` instead of the folder's.

        The loaded one serves until the new one is ready, and goes on when that fails.
        """
        self._post(model, "load", {"config": MessageToJson(config, preserving_proto_field_name=True)} if config is not None else {})

    def unload(self, model: str) -> None:
        """Take no more requests for a model; those under way are answered."""
        self._post(model, "unload", {})

    def _post(self, model: str, action: str, parameters: Mapping[str, str]) -> None:
        body = {"parameters": parameters} if parameters else {}
        try:
            http_api.post(f"{self.url}/v2/repository/models/{model}/{action}", body, self.headers, LOAD_SECONDS)
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
