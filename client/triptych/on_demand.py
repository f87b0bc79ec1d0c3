"""Models that a server has unloaded because nobody asked for them: the model `on_demand` beside them loads them again.

Where there is none (a server that unloads nothing), NotFound stays what it was.
"""

import json
import time
from collections.abc import Mapping

import numpy as np

from triptych.calls import INTERACTIVE, Call, Tensors
from triptych.errors import DeadlineExceeded, NotFound
from triptych.transport.base import AsyncTransport, Json, Transport

MODEL = "on_demand"
ATTEMPTS = 4
"""A model may be idle again by the time that its caller has its turn, on a machine that is very busy."""


def infer(transport: Transport, call: Call, timeout: float) -> Tensors:
    """The answer to a call, whose model is loaded first where it is idle; all within `timeout` seconds."""
    left = _Left(timeout)
    for _ in range(ATTEMPTS - 1):
        try:
            return transport.infer(call, left.seconds)
        except NotFound as error:
            try:
                _config(transport.infer(_request(call.model, call.headers, load=True), left.seconds))
            except NotFound:
                raise error from None
    return transport.infer(call, left.seconds)


async def infer_async(transport: AsyncTransport, call: Call, timeout: float) -> Tensors:
    """`infer` for coroutines."""
    left = _Left(timeout)
    for _ in range(ATTEMPTS - 1):
        try:
            return await transport.infer(call, left.seconds)
        except NotFound as error:
            try:
                _config(await transport.infer(_request(call.model, call.headers, load=True), left.seconds))
            except NotFound:
                raise error from None
    return await transport.infer(call, left.seconds)


def model_config(transport: Transport, model: str, headers: Mapping[str, str], timeout: float) -> Json:
    """A model's configuration, idle or not; an idle one stays so."""
    left = _Left(timeout)
    try:
        return transport.model_config(model, timeout)
    except NotFound as error:
        try:
            return _config(transport.infer(_request(model, headers, load=False), left.seconds))
        except NotFound:
            raise error from None


async def model_config_async(transport: AsyncTransport, model: str, headers: Mapping[str, str], timeout: float) -> Json:
    """`model_config` for coroutines."""
    left = _Left(timeout)
    try:
        return await transport.model_config(model, timeout)
    except NotFound as error:
        try:
            return _config(await transport.infer(_request(model, headers, load=False), left.seconds))
        except NotFound:
            raise error from None


def _request(model: str, headers: Mapping[str, str], *, load: bool) -> Call:
    inputs = {"model": np.array([model.encode()], np.object_), "load": np.array([load])}
    return Call(MODEL, inputs, INTERACTIVE, ("config",), headers=headers)


def _config(tensors: Tensors) -> Json:
    """What `on_demand` answers; NotFound where another model has that name."""
    try:
        config: Json = json.loads(tensors["config"].item())
    except (KeyError, ValueError):
        raise NotFound(f"the model {MODEL!r} answered no config") from None
    return config


class _Left:
    """What is left of a timeout."""

    def __init__(self, timeout: float) -> None:
        self._deadline = time.monotonic() + timeout

    @property
    def seconds(self) -> float:
        if (left := self._deadline - time.monotonic()) <= 0:
            raise DeadlineExceeded("the model is idle, and was not loaded again in time")
        return left
