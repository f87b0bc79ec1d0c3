"""The two towers of a ViT-B/32 CLIP with random weights: (sizes, seed) -> ONNX graphs in the OpenCLIP legacy export form.

Speed does not depend on what the weights say, only on the shapes and the operators, so a seeded random CLIP measures
the same as a trained one and needs neither a download nor torch. The operators are those that an OpenCLIP export has:
Conv patches, fused qkv, LayerNormalization, Softmax attention, QuickGELU, an L2-normalised projection.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from loadtest.graph_builder import F32, I32, GraphBuilder


@dataclass(frozen=True, slots=True)
class ClipShape:
    """Sizes of a CLIP; the defaults are ViT-B/32 (151 M parameters), counted as OpenCLIP counts them."""

    image_size: int = 224
    patch: int = 32
    vision_width: int = 768
    vision_layers: int = 12
    context_length: int = 77
    vocabulary: int = 49408
    text_width: int = 512
    text_layers: int = 12
    embed_dim: int = 512
    head_width: int = 64

    def __post_init__(self) -> None:
        if self.image_size % self.patch:
            raise ValueError(f"image_size {self.image_size} is no multiple of patch {self.patch}")
        for width in (self.vision_width, self.text_width):
            if width % self.head_width:
                raise ValueError(f"width {width} is no multiple of head_width {self.head_width}")


@dataclass(slots=True)
class Transformer(GraphBuilder):
    """The layers of both towers."""

    def split(self, tensor: str, parts: int) -> list[str]:
        """Cut the last axis into `parts` equal tensors."""
        names = [f"Split_{len(self.nodes)}_{i}" for i in range(parts)]
        self.nodes.append(helper.make_node("Split", [tensor], names, name=names[0], axis=-1, num_outputs=parts))
        return names

    def linear(self, x: str, width_in: int, width_out: int) -> str:
        """x [..., width_in] -> [..., width_out], MatMul and Add as exporters write torch's Linear on three axes."""
        product = self.op("MatMul", x, self.normal(width_in, width_out, scale=width_in**-0.5))
        return self.op("Add", product, self.normal(width_out, scale=0.02))

    def layer_norm(self, x: str, width: int) -> str:
        """LayerNorm over the last axis, gains about 1."""
        gain, bias = self.normal(width, scale=0.02, mean=1.0), self.normal(width, scale=0.02)
        return self.op("LayerNormalization", x, gain, bias, axis=-1, epsilon=1e-5)

    def attention(self, x: str, width: int, heads: int, mask: str | None) -> str:
        """Self-attention [B,T,width] -> [B,T,width]; `mask` [T,T] is added to the scores."""
        head_width = width // heads
        shape = self.ints(0, 0, heads, head_width)
        parts = [self.op("Reshape", part, shape) for part in self.split(self.linear(x, width, 3 * width), 3)]
        query, value = (self.op("Transpose", parts[i], perm=[0, 2, 1, 3]) for i in (0, 2))
        key = self.op("Transpose", parts[1], perm=[0, 2, 3, 1])
        query = self.op("Mul", query, self.constant(np.array(head_width**-0.5, dtype=np.float32)))
        scores = self.op("MatMul", query, key)
        if mask is not None:
            scores = self.op("Add", scores, mask)
        mixed = self.op("MatMul", self.op("Softmax", scores, axis=-1), value)
        merged = self.op("Reshape", self.op("Transpose", mixed, perm=[0, 2, 1, 3]), self.ints(0, 0, width))
        return self.linear(merged, width, width)

    def block(self, x: str, width: int, heads: int, mask: str | None) -> str:
        """One pre-norm transformer layer with a QuickGELU MLP, [B,T,width] -> [B,T,width]."""
        x = self.op("Add", x, self.attention(self.layer_norm(x, width), width, heads, mask))
        hidden = self.linear(self.layer_norm(x, width), width, 4 * width)
        gate = self.op("Sigmoid", self.op("Mul", hidden, self.constant(np.array(1.702, dtype=np.float32))))
        return self.op("Add", x, self.linear(self.op("Mul", hidden, gate), 4 * width, width))

    def project(self, x: str, width: int, embed_dim: int) -> None:
        """x [B,width] -> the graph's output `embedding` [B,embed_dim] of unit length."""
        raw = self.op("MatMul", x, self.normal(width, embed_dim, scale=width**-0.5))
        norm = self.op("ReduceL2", raw, self.ints(-1), keepdims=1)
        self.named("Div", "embedding", raw, norm)


def visual_tower(shape: ClipShape, seed: int) -> onnx.ModelProto:
    """`image` f32[1,3,S,S], mean/std-normalised -> `embedding` f32[1,D] of unit length."""
    g, width, side = Transformer(np.random.default_rng(seed)), shape.vision_width, shape.image_size
    kernel = g.normal(width, 3, shape.patch, shape.patch, scale=(3 * shape.patch**2) ** -0.5)
    patches = g.op("Conv", "image", kernel, kernel_shape=[shape.patch] * 2, strides=[shape.patch] * 2)
    patches = g.op("Transpose", g.op("Reshape", patches, g.ints(0, 0, -1)), perm=[0, 2, 1])
    batch = g.op("Slice", g.op("Shape", "image"), g.ints(0), g.ints(1))
    class_token = g.op("Expand", g.normal(1, 1, width, scale=0.5), g.op("Concat", batch, g.ints(1, width), axis=0))
    tokens = 1 + (side // shape.patch) ** 2
    x = g.op("Add", g.op("Concat", class_token, patches, axis=1), g.normal(tokens, width, scale=0.1))
    x = g.layer_norm(x, width)
    for _ in range(shape.vision_layers):
        x = g.block(x, width, width // shape.head_width, mask=None)
    pooled = g.op("Gather", x, g.constant(np.array(0, dtype=np.int64)), axis=1)
    g.project(g.layer_norm(pooled, width), width, shape.embed_dim)
    image = helper.make_tensor_value_info("image", F32, [1, 3, side, side])
    return g.model("clip_visual", image, [helper.make_tensor_value_info("embedding", F32, [1, shape.embed_dim])])


def textual_tower(shape: ClipShape, seed: int) -> onnx.ModelProto:
    """`text` i32[1,L], the end token being the highest id -> `embedding` f32[1,D] of unit length."""
    g, width, length = Transformer(np.random.default_rng(seed)), shape.text_width, shape.context_length
    words = g.op("Gather", g.normal(shape.vocabulary, width, scale=0.02), "text", axis=0)
    x = g.op("Add", words, g.normal(length, width, scale=0.01))
    causal = g.constant(np.triu(np.full((length, length), -np.inf, dtype=np.float32), k=1))
    for _ in range(shape.text_layers):
        x = g.block(x, width, width // shape.head_width, causal)
    end = g.op("ArgMax", "text", axis=-1, keepdims=1)
    pooled = g.op("GatherND", g.layer_norm(x, width), end, batch_dims=1)
    g.project(pooled, width, shape.embed_dim)
    text = helper.make_tensor_value_info("text", I32, [1, length])
    return g.model("clip_textual", text, [helper.make_tensor_value_info("embedding", F32, [1, shape.embed_dim])])
