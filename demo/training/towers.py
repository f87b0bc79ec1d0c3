"""The two towers: a small convolution + attention net for pictures, a small causal transformer for text."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EMBED_DIM = 512
CONTEXT_LENGTH = 77


class _ConvNorm(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _ConvNorm(channels, channels, 3, 1)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


class _Block(nn.Module):
    """Pre-norm transformer block over [B, T, width]."""

    def __init__(self, width: int, heads: int, *, ratio: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, width))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        batch, length, width = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = qkv[0], qkv[1], qkv[2]
        scores = query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5
        if mask is not None:
            scores = scores + mask[:length, :length]
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, length, width)
        x = x + self.out(mixed)
        refined: Tensor = self.mlp(self.norm2(x))
        return x + refined


class VisualTower(nn.Module):
    """f32 [B, 3, 224, 224], normalised -> unit vectors [B, 512].

    The first step halves the picture; `forward_half` starts after it and is what training calls.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (24, 48, 96, 192), blocks: int = 2) -> None:
        super().__init__()
        stem, *stages = widths
        layers: list[nn.Module] = [_ConvNorm(3, stem, 5, 2)]
        for inputs, outputs in zip(widths, stages, strict=False):
            layers += [_ConvNorm(inputs, outputs, 3, 2), _Residual(outputs)]
        self.halve = nn.AvgPool2d(2)
        self.features = nn.Sequential(*layers)
        self.positions = nn.Parameter(torch.randn(1, 49, widths[-1]) * 0.02)
        self.blocks = nn.ModuleList(_Block(widths[-1], 4, ratio=2) for _ in range(blocks))
        self.norm = nn.LayerNorm(widths[-1])
        self.project = nn.Linear(widths[-1], EMBED_DIM, bias=False)

    def forward_half(self, image: Tensor) -> Tensor:
        """f32 [B, 3, 112, 112], normalised -> unit vectors [B, 512]."""
        x = self.features(image).flatten(2).transpose(1, 2) + self.positions
        for block in self.blocks:
            x = block(x)
        return _unit(self.project(self.norm(x.mean(dim=1))))

    def forward(self, image: Tensor) -> Tensor:
        return self.forward_half(self.halve(image))


class TextTower(nn.Module):
    """int [B, L <= 77] token ids -> unit vectors [B, 512], read off at the end-of-text token.

    Attention is causal, so what pads the rest of the line cannot change the answer: short lines in training, 77 served.
    """

    def __init__(self, vocabulary: int, end_id: int, width: int = 128, blocks: int = 2) -> None:
        super().__init__()
        self.end_id = end_id
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.randn(CONTEXT_LENGTH, width) * 0.02)
        self.blocks = nn.ModuleList(_Block(width, 4, ratio=3) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, EMBED_DIM, bias=False)
        self.register_buffer("mask", torch.full((CONTEXT_LENGTH, CONTEXT_LENGTH), -1e4).triu(1), persistent=False)
        nn.init.normal_(self.tokens.weight, std=0.05)

    def forward(self, text: Tensor) -> Tensor:
        x = self.tokens(text) + self.positions[: text.shape[1]]
        for block in self.blocks:
            x = block(x, self.get_buffer("mask"))
        end = (text == self.end_id).to(x.dtype).unsqueeze(-1)
        return _unit(self.project(self.norm((x * end).sum(dim=1))))


def _unit(x: Tensor) -> Tensor:
    length: Tensor = x.norm(dim=-1, keepdim=True)
    return x / length
