"""The contrastive loss: a picture must find its caption among all, wrong ones included, and a caption its picture."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def contrastive_loss(images: Tensor, texts: Tensor, scale: Tensor, fits: Tensor) -> Tensor:
    """`images` [B, D]; `texts` [2B, D], the true captions first; `fits` bool [2B, B].

    A caption that happens to be true of another picture is no wrong answer: it is left out of that picture's choice.
    """
    count = images.shape[0]
    logits = (texts @ images.T).float() * scale
    own = torch.zeros_like(fits)
    own[:count] = torch.eye(count, dtype=torch.bool)
    logits = logits.masked_fill(fits & ~own, -1e4)
    target = torch.arange(count)
    return (functional.cross_entropy(logits.T, target) + functional.cross_entropy(logits[:count], target)) / 2
