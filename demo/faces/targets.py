"""What the detector should have said: which anchors answer for which face, and the losses of scores, boxes and landmarks."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from demo.faces.nets import ANCHORS, STRIDES

_NEAR = 0.8  # octaves between a face's size and the anchor's; the nearest anchor always answers
_KINDRED = 1.6  # octaves
_CORE, _EDGE = 0.22, 0.42  # shares of a face's size: cells that answer, and beyond them cells that are not asked


class Anchors(NamedTuple):
    """Of every anchor, in the order of the rows: its cell's centre [A, 2], stride [A] and size [A], in pixels."""

    centre: Tensor
    stride: Tensor
    size: Tensor


class Losses(NamedTuple):
    """Means over the faces' anchors."""

    score: Tensor
    box: Tensor
    points: Tensor


def anchors_of(side: int) -> Anchors:
    """For pictures of `side` x `side`, a multiple of 64."""
    centres, strides, sizes = [], [], []
    for stride, pair in zip(STRIDES, ANCHORS, strict=True):
        cells = side // stride
        row, column = torch.meshgrid(torch.arange(cells), torch.arange(cells), indexing="ij")
        centre = torch.stack([column, row], dim=-1).reshape(-1, 2).repeat_interleave(2, 0) * stride
        centres.append(centre.float())
        strides.append(torch.full((len(centre),), float(stride)))
        sizes.append(torch.tensor(pair).repeat(cells * cells))
    return Anchors(torch.cat(centres), torch.cat(strides), torch.cat(sizes))


def assign(anchors: Anchors, faces: Tensor) -> Tensor:
    """Faces [N, 14] (box, landmarks) -> of every anchor the face it answers for, -1 where there is none, -2 where nothing is asked."""
    owner = torch.full((len(anchors.centre),), -1)
    if not len(faces):
        return owner
    middle, extent = (faces[:, :2] + faces[:, 2:4]) / 2, faces[:, 2:4] - faces[:, :2]
    size = extent.prod(dim=1).sqrt()
    octaves = (anchors.size[:, None] / size).log2().abs()
    fits = octaves <= torch.maximum(octaves.amin(dim=0), torch.tensor(_NEAR)) + 1e-4
    distance = (anchors.centre[:, None] - middle).abs().amax(dim=2)
    # A cell at least, however small the face.
    inside = distance <= torch.maximum(_CORE * size, 0.51 * anchors.stride[:, None])
    around = distance <= torch.maximum(_EDGE * size, 0.51 * anchors.stride[:, None])
    # Only anchors of a kindred size are left unasked: small ones inside a large face must learn that an eye is none.
    owner[(around & (octaves <= _KINDRED)).any(dim=1)] = -2
    closeness = torch.where(fits & inside, distance / size, torch.inf)
    best, which = closeness.min(dim=1)
    return torch.where(best < torch.inf, which, owner)


def losses(found: list[list[Tensor]], anchors: Anchors, faces: list[Tensor]) -> Losses:
    """The detector's answers to a batch against the faces [N, 14] of each picture."""
    logits, boxes, points = (torch.cat([level[kind] for level in found], dim=1).float() for kind in range(3))
    owners = torch.stack([assign(anchors, each) for each in faces])
    positive = owners >= 0
    count = positive.sum().clamp(min=1)
    right = positive.float()
    doubt = functional.binary_cross_entropy_with_logits(logits[..., 0], right, reduction="none")
    off = (logits[..., 0].detach().sigmoid() - right).abs() ** 2
    score = (doubt * off * torch.where(positive, 2.0, 1.0))[owners != -2].sum() / count
    if not positive.any():
        return Losses(score, score * 0, score * 0)
    picture, anchor = positive.nonzero(as_tuple=True)
    own = torch.stack([faces[p][o] for p, o in zip(picture.tolist(), owners[picture, anchor].tolist(), strict=True)])
    centre, stride = anchors.centre[anchor], anchors.stride[anchor, None]
    distances = boxes[picture, anchor] * stride
    said = torch.cat([centre - distances[:, :2], centre + distances[:, 2:]], dim=1)
    size = (own[:, 2:4] - own[:, :2]).prod(dim=1, keepdim=True).sqrt()
    offset = (points[picture, anchor] * stride + centre.repeat(1, 5) - own[:, 4:]) / size
    edges = functional.smooth_l1_loss((said - own[:, :4]) / size, torch.zeros_like(said), beta=0.05)
    box = (1 - _overlap(said, own[:, :4])).mean() + edges
    return Losses(score, box, functional.smooth_l1_loss(offset, torch.zeros_like(offset), beta=0.05))


def _overlap(a: Tensor, b: Tensor) -> Tensor:
    """IoU of boxes [N, 4] with their partners."""
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(dim=1)
    areas = [(box[:, 2:] - box[:, :2]).clamp(min=0).prod(dim=1) for box in (a, b)]
    return shared / (areas[0] + areas[1] - shared).clamp(min=1e-6)
