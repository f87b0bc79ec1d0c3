"""What each profile needs, one file a profile: pure functions from a machine to findings. Where the hardware itself is not
there, that is the only finding."""

from collections.abc import Callable, Mapping

from triptych_server.hardware.finding import Finding
from triptych_server.hardware.machine import Machine
from triptych_server.hardware.needs.armnn import armnn
from triptych_server.hardware.needs.cpu import cpu
from triptych_server.hardware.needs.cuda import cuda
from triptych_server.hardware.needs.migraphx import migraphx
from triptych_server.hardware.needs.openvino import openvino
from triptych_server.hardware.needs.rknn import rknn
from triptych_server.hardware.needs.tensorrt import tensorrt

NEEDS: Mapping[str, Callable[[Machine], list[Finding]]] = {
    "tensorrt": tensorrt,
    "cuda": cuda,
    "migraphx": migraphx,
    "rknn": rknn,
    "armnn": armnn,
    "openvino": openvino,
    "cpu": cpu,
}
"""By profile, the one that is worth most first."""
