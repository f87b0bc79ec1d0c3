"""A network that scales its pictures by itself, as those of the `v2` revisions do."""

import torch
from torch import Tensor, nn


class FromBytes(nn.Module):
    """A network on uint8 [B,S,S,3], scaled to (x / 255 - mean) / std inside."""

    def __init__(self, network: nn.Module, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def forward(self, image: Tensor) -> Tensor:
        found: Tensor = self.network(((image.float() / 255 - self.mean) / self.std).permute(0, 3, 1, 2))
        return found
