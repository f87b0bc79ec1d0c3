"""What tests of the RKNN session ask it, and what is right by its fake (tests/support/fake_rknnlite.py)."""

import numpy as np

from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import SessionSettings

RK3566 = {"proc/device-tree/compatible": b"radxa,zero-3\0rockchip,rk3566\0"}


def settings(graph, **parameters):
    return SessionSettings("net", graph, 16, "MODEL", parameters=Parameters(parameters))


def rows(*values):
    return np.stack([np.full((2, 2, 3), value, np.uint8) for value in values])


def right(values):
    return 2.0 * np.array(values)[:, None] + np.arange(4) + 10
