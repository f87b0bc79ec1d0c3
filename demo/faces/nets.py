"""The two networks: a detector with SCRFD's nine outputs for pictures, an embedder in ArcFace's form for aligned faces."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from demo.faces.networks import EMBED_DIM

STRIDES = (8, 16, 32)
ANCHORS = ((16.0, 32.0), (64.0, 128.0), (256.0, 512.0))  # pixels, two to a cell, as in SCRFD
CHANNELS = (1, 4, 10)
_DOUBT = -4.6  # of 100 anchors that know nothing yet, one says yes


class ConvNorm(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNorm(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


class _Heads(nn.Module):
    """Of one stride: maps of scores, distances and landmarks, for two anchors in a cell."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.tower = ConvNorm(width, width)
        self.score, self.box, self.points = (nn.Conv2d(width, 2 * channels, 3, 1, 1) for channels in CHANNELS)
        for head, bias in ((self.score, _DOUBT), (self.box, 1.0), (self.points, 0.0)):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.constant_(head.bias, bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.tower(x)
        return self.score(x), self.box(x), self.points(x)


class Detector(nn.Module):
    """f32 [B, 3, H, W], (x - 127.5) / 128, H and W multiples of 64 -> of each stride, finest first, three kinds of rows in SCRFD's
    units: logits [B, A, 1], distances [B, A, 4] and landmarks [B, A, 10] in strides; anchors of a cell follow each other.

    A level at stride 64 that answers nothing lets faces as large as the picture be seen whole.
    """

    def __init__(self, widths: tuple[int, ...] = (12, 20, 32, 48, 64, 48), neck: int = 32) -> None:
        super().__init__()
        two, four, eight, sixteen, more, most = widths
        self.stem = nn.Sequential(ConvNorm(3, two, 3, 2), ConvNorm(two, four, 3, 2))
        self.to8 = nn.Sequential(ConvNorm(four, eight, 3, 2), Residual(eight))
        self.to16 = nn.Sequential(ConvNorm(eight, sixteen, 3, 2), Residual(sixteen))
        self.to32 = nn.Sequential(ConvNorm(sixteen, more, 3, 2), Residual(more))
        self.to64 = nn.Sequential(ConvNorm(more, most, 3, 2), Residual(most))
        self.sides = nn.ModuleList(nn.Conv2d(width, neck, 1) for width in (eight, sixteen, more, most))
        self.smooth = nn.ModuleList(ConvNorm(neck, neck) for _ in STRIDES)
        self.heads = nn.ModuleList(_Heads(neck) for _ in STRIDES)

    def maps(self, x: Tensor) -> list[list[Tensor]]:
        """For each stride its three maps [B, 2C, h, w]."""
        found = [self.to8(self.stem(x))]
        for step in (self.to16, self.to32, self.to64):
            found.append(step(found[-1]))
        levels = [side(level) for side, level in zip(self.sides, found, strict=True)]
        for fine in (2, 1, 0):
            levels[fine] = levels[fine] + functional.interpolate(levels[fine + 1], scale_factor=2.0, mode="nearest")
        answers = []
        for at, anchors in enumerate(ANCHORS):
            score, box, points = self.heads[at](self.smooth[at](levels[at]))
            # What the convolutions give is in half anchors, so that all sizes are learned alike.
            reach = torch.tensor(anchors, device=x.device) / 2 / STRIDES[at]
            answers.append(
                [score, box * reach.repeat_interleave(4).view(1, -1, 1, 1), points * reach.repeat_interleave(10).view(1, -1, 1, 1)]
            )
        return answers

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        return [
            [one.permute(0, 2, 3, 1).reshape(x.shape[0], -1, count) for one, count in zip(level, CHANNELS, strict=True)]
            for level in self.maps(x)
        ]


class Embedder(nn.Module):
    """f32 [B, 3, 112, 112], (x - 127.5) / 127.5 -> f32 [B, 512], not of unit length."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 48, 64, 96)) -> None:
        super().__init__()
        layers: list[nn.Module] = [ConvNorm(3, widths[0], 5, 2)]
        for inputs, outputs in pairwise(widths):
            layers += [ConvNorm(inputs, outputs, 3, 2), Residual(outputs)]
        self.body = nn.Sequential(*layers)
        # One weight for each place of the 4 x 4 map, as in ArcFace's mobile nets: an aligned face has its features in fixed places.
        self.places = nn.Sequential(nn.Conv2d(widths[-1], widths[-1] * 2, 4, groups=widths[-1], bias=False), nn.BatchNorm2d(widths[-1] * 2))
        self.project = nn.Linear(widths[-1] * 2, EMBED_DIM, bias=False)
        self.norm = nn.BatchNorm1d(EMBED_DIM, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.norm(self.project(self.places(self.body(x)).flatten(1)))
        return found
