"""The face networks of the usual packs with random weights: SCRFD-10G's and ArcFace IResNet-50's layers, in the form of their exports.

As in loadtest/vit.py, speed depends on shapes and operators only. Layers and widths are those of the published configurations
(SCRFD: arXiv 2105.04714; IResNet-50: arXiv 2004.04989), so that 640 px cost 13.3 and 112 px 6.3 thousand million
multiplications and additions. Batch normalisation stands folded into the convolutions, where exporters fold it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from loadtest.graph_builder import F32, GraphBuilder
from triptych_server.models.detector_heads import STRIDES

SIDE, FACE = 640, 112
ANCHORS = 2
"""For each cell."""
KINDS = (("score", 1), ("bbox", 4), ("kps", 10))
"""What SCRFD says of each anchor, and in how many channels."""


@dataclass(slots=True)
class ConvNet(GraphBuilder):
    """Convolutions over [B,C,H,W] whose values stay of order 1 from layer to layer."""

    def conv(self, x: str, width_in: int, width_out: int, *, kernel: int = 3, stride: int = 1, gain: float = 2.0) -> str:
        """Convolution and bias; `gain` is the variance it gives, 2 making up for a ReLU that follows."""
        weights = self.normal(width_out, width_in, kernel, kernel, scale=(gain / (width_in * kernel**2)) ** 0.5)
        pads = [kernel // 2] * 4
        return self.op("Conv", x, weights, self.normal(width_out, scale=0.02), kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads)

    def conv_relu(self, x: str, width_in: int, width_out: int, *, stride: int = 1) -> str:
        """3x3 convolution and ReLU."""
        return self.op("Relu", self.conv(x, width_in, width_out, stride=stride))

    def batch_norm(self, x: str, width: int) -> str:
        """What could not be folded: in front of a convolution that pads, or behind a PReLU."""
        gain, bias = self.normal(width, scale=0.02, mean=1.0), self.normal(width, scale=0.02)
        mean, variance = self.constant(np.zeros(width, np.float32)), self.constant(np.ones(width, np.float32))
        return self.op("BatchNormalization", x, gain, bias, mean, variance, epsilon=1e-5)

    def prelu(self, x: str, width: int) -> str:
        """A slope for each channel."""
        return self.op("PRelu", x, self.normal(width, 1, 1, scale=0.05, mean=0.25))

    def mean(self, one: str, other: str) -> str:
        """Of a sum, without its growth."""
        return self.op("Mul", self.op("Add", one, other), self.constant(np.array(0.7, dtype=np.float32)))


def scrfd_10g(seed: int) -> onnx.ModelProto:
    """`input.1` f32 [1,3,640,640], (x - 127.5) / 128 -> scores [n,1], boxes [n,4], landmarks [n,10] by stride, as SCRFD is exported."""
    g = ConvNet(np.random.default_rng(seed))
    outputs = []
    for (kind, channels), maps in zip(KINDS, _scrfd(g), strict=True):
        for stride, rows in zip(STRIDES, maps, strict=True):
            count, name = ANCHORS * (SIDE // stride) ** 2, f"{kind}_{stride}"
            flat = g.op("Reshape", rows, g.ints(count, channels))
            g.named("Sigmoid" if kind == "score" else "Identity", name, flat)
            outputs.append(helper.make_tensor_value_info(name, F32, [count, channels]))
    return g.model("scrfd_10g", helper.make_tensor_value_info("input.1", F32, [1, 3, SIDE, SIDE]), outputs)


def scrfd_10g_trace(seed: int) -> onnx.ModelProto:
    """The same network, its answer boiled down to one number: `trace` f32 [1,1,1,1], 0 to 9."""
    g = ConvNet(np.random.default_rng(seed))
    maps = [each for of_kind in _scrfd(g) for each in of_kind]
    means = [g.op("ReduceMean", g.op("Sigmoid", each), g.ints(1, 2, 3), keepdims=1) for each in maps]
    g.named("Sum", "trace", *means)
    image = helper.make_tensor_value_info("input.1", F32, [1, 3, SIDE, SIDE])
    return g.model("scrfd_10g_trace", image, [helper.make_tensor_value_info("trace", F32, [1, 1, 1, 1])])


def _scrfd(g: ConvNet) -> list[list[str]]:
    """The maps [1,H,W,anchors x channels] of each kind, from fine to coarse."""
    x = g.conv_relu("input.1", 3, 28, stride=2)
    x = g.conv_relu(g.conv_relu(x, 28, 28), 28, 56)
    x = g.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    width, levels = 56, []
    for blocks, planes, stride in ((3, 56, 1), (4, 88, 2), (2, 88, 2), (3, 224, 2)):
        for block in range(blocks):
            x = _basic_block(g, x, width, planes, stride if block == 0 else 1)
            width = planes
        levels.append((x, planes))
    heads = [_head(g, level) for level in _pyramid(g, levels[1:], 56)]
    return [list(of_kind) for of_kind in zip(*heads, strict=True)]


def iresnet_50(seed: int, dim: int = 512) -> onnx.ModelProto:
    """`input.1` f32 [N,3,112,112], (x - 127.5) / 127.5 -> `embedding` f32 [N,dim], of any length, as ArcFace is exported."""
    g = ConvNet(np.random.default_rng(seed))
    x, width = g.prelu(g.conv("input.1", 3, 64), 64), 64
    for blocks, planes in ((3, 64), (4, 128), (14, 256), (3, 512)):
        for block in range(blocks):
            x = _ir_block(g, x, width, planes, 2 if block == 0 else 1)
            width = planes
    x = g.op("Flatten", g.batch_norm(x, width))
    features = width * (FACE // 16) ** 2
    x = g.op("Gemm", x, g.normal(dim, features, scale=features**-0.5), g.normal(dim, scale=0.02), transB=1)
    gain, bias = g.normal(dim, scale=0.02, mean=1.0), g.normal(dim, scale=0.02)
    mean, variance = g.constant(np.zeros(dim, np.float32)), g.constant(np.ones(dim, np.float32))
    g.named("BatchNormalization", "embedding", x, gain, bias, mean, variance, epsilon=1e-5)
    image = helper.make_tensor_value_info("input.1", F32, ["None", 3, FACE, FACE])
    return g.model("iresnet_50", image, [helper.make_tensor_value_info("embedding", F32, ["None", dim])])


def multiply_adds(model: onnx.ModelProto) -> int:
    """Of all Conv and Gemm nodes, for a batch of one."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in [*inferred.value_info, *inferred.output]}
    weights = {w.name: list(w.dims) for w in inferred.initializer}
    total = 0
    for node in inferred.node:
        if node.op_type == "Conv":
            total += int(np.prod(shapes[node.output[0]][2:]) * np.prod(weights[node.input[1]]))
        elif node.op_type == "Gemm":
            total += int(np.prod(weights[node.input[1]]))
    return total


def _basic_block(g: ConvNet, x: str, width_in: int, width: int, stride: int) -> str:
    """Two convolutions beside a short cut, which halves by averaging."""
    y = g.conv(g.conv_relu(x, width_in, width, stride=stride), width, width, gain=1.0)
    if stride > 1:
        x = g.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    if width_in != width:
        x = g.conv(x, width_in, width, kernel=1, gain=1.0)
    return g.op("Relu", g.mean(x, y))


def _pyramid(g: ConvNet, levels: Sequence[tuple[str, int]], width: int) -> list[str]:
    """PAFPN: fine levels hear from coarse ones, then coarse ones from fine; from fine to coarse."""
    maps = [g.conv(x, planes, width, kernel=1, gain=1.0) for x, planes in levels]
    twice = g.constant(np.array([1, 1, 2, 2], dtype=np.float32))
    for at in (1, 0):
        larger = g.op("Resize", maps[at + 1], "", twice, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
        maps[at] = g.mean(maps[at], larger)
    maps = [g.conv(x, width, width, gain=1.0) for x in maps]
    for at in (1, 2):
        maps[at] = g.mean(maps[at], g.conv(maps[at - 1], width, width, stride=2, gain=1.0))
    return [maps[0], *(g.conv(x, width, width, gain=1.0) for x in maps[1:])]


def _head(g: ConvNet, x: str) -> list[str]:
    """One map of each kind."""
    for width_in in (56, 80, 80):
        x = g.conv_relu(x, width_in, 80)
    return [g.op("Transpose", g.conv(x, 80, ANCHORS * channels, gain=0.5), perm=[0, 2, 3, 1]) for _, channels in KINDS]


def _ir_block(g: ConvNet, x: str, width_in: int, width: int, stride: int) -> str:
    """Normalise, convolve, PReLU, convolve with the stride; beside it the input, or what a 1x1 convolution makes of it."""
    y = g.prelu(g.conv(g.batch_norm(x, width_in), width_in, width, gain=1.5), width)
    y = g.conv(y, width, width, stride=stride, gain=1.0)
    if stride > 1 or width_in != width:
        x = g.conv(x, width_in, width, kernel=1, stride=stride, gain=1.0)
    return g.mean(x, y)
