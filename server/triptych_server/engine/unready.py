"""Make Triton itself say that it is not ready while something is being mended: probes, gateways and clients ask nobody else.

Triton is ready when every model that was ever asked for is; so a model is asked for that cannot be loaded. To take it back, that model
becomes an ensemble over one that is there, which loads, and is unloaded: Triton forgets a model that failed only when it has loaded.
"""

import contextlib
import json
import logging
import re
import shutil
from pathlib import Path
from typing import Any

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.read import render_config
from triptych_server.engine.control import ControlApi
from triptych_server.errors import EngineError

NAME = "triptych_healing"
_SECONDS = 10.0
_logger = logging.getLogger(__name__)


class Unready:
    """A flag on one Triton; `staging` is a model repository of that Triton's, which holds nothing else of this name."""

    def __init__(self, control: ControlApi, staging: Path) -> None:
        self._control, self._folder = control, staging / NAME
        self._raised = False

    def raise_(self, reason: str) -> None:
        """Not ready from now on; `reason` shows in the index. A server that does not answer needs no flag."""
        if self._raised:
            return
        try:
            self._write(ModelConfig(name=NAME, backend=re.sub(r"\W+", "_", reason)[:80]))
        except OSError as error:  # a full disk is no reason not to mend
            _logger.warning("Triton will call itself ready meanwhile: %s", error)
            return
        with contextlib.suppress(EngineError):  # as it must
            self._control.load(NAME, timeout=_SECONDS)
        self._raised = True

    def lower(self, over: str) -> None:
        """Ready again; `over` is any model that is. What fails is tried again at the next call."""
        if not self._raised:
            return
        try:
            self._write(_around(self._control.config(over)))
            self._control.load(NAME, timeout=_SECONDS)
            self._control.unload(NAME)
        except (EngineError, OSError) as error:
            _logger.warning("Triton still calls itself not ready: %s", error)
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        self._raised = False

    def _write(self, config: ModelConfig) -> None:
        (self._folder / "1").mkdir(parents=True, exist_ok=True)
        (self._folder / "config.pbtxt").write_text(render_config(config), encoding="utf-8")


def _around(inner: dict[str, Any]) -> ModelConfig:
    """An ensemble of one step."""
    from google.protobuf.json_format import ParseDict

    config = ModelConfig(name=NAME, platform="ensemble", max_batch_size=inner.get("max_batch_size", 0))
    step = config.ensemble_scheduling.step.add(model_name=inner["name"], model_version=-1)
    for kind, tensors, mapped in (("input", config.input, step.input_map), ("output", config.output, step.output_map)):
        for tensor in json.loads(json.dumps(inner[kind])):
            kept = {key: tensor[key] for key in ("name", "data_type", "dims", "optional") if key in tensor}
            ParseDict(kept, tensors.add())
            mapped[tensor["name"]] = tensor["name"]
    return config
