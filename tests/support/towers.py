"""Small CLIP towers with random weights in torch, in the forms exporters meet in the wild: pictures or token ids in, embeddings out."""

import torch
from torch import Tensor, nn
from torch.nn import functional

# The sizes by default.
SIZE = 32  # pixels, a side of the picture
CONTEXT = 16  # tokens
VOCABULARY = 64  # the highest id ends a text, as in CLIP
WIDTH = 32
DIM = 24  # of the embedding


class Block(nn.Module):
    """One pre-norm transformer layer over [length, batch, width] or, batch first, [batch, length, width]."""

    def __init__(self, mask: Tensor | None = None, batch_first: bool = False) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 4, batch_first=batch_first)
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False, attn_mask=self.mask)[0]
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """Pictures [B,3,S,S] through patches and a class token to embeddings [B,D]."""

    def __init__(self, batch_first: bool = False, normalise: bool = True, size: int = SIZE) -> None:
        super().__init__()
        self.batch_first, self.normalise = batch_first, normalise
        self.patches = nn.Conv2d(3, WIDTH, 8, 8, bias=False)
        self.class_token = nn.Parameter(torch.randn(WIDTH))
        self.positions = nn.Parameter(torch.randn((size // 8) ** 2 + 1, WIDTH))
        self.before, self.after = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.blocks = nn.Sequential(*(Block(batch_first=batch_first) for _ in range(2)))
        self.projection = nn.Parameter(torch.randn(WIDTH, DIM))

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image)
        x = x.reshape(x.shape[0], x.shape[1], -1).permute(0, 2, 1)
        token = self.class_token.view(1, 1, -1).expand(x.shape[0], -1, -1)
        x = self.before(torch.cat([token, x], dim=1) + self.positions)
        x = self.blocks(x) if self.batch_first else self.blocks(x.permute(1, 0, 2)).permute(1, 0, 2)
        pooled = self.after(x)[:, 0] @ self.projection
        return functional.normalize(pooled, dim=-1) if self.normalise else pooled


class Bottleneck(nn.Module):
    """A residual block whose stride is an average pool, so that it stays anti-aliased."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(inside, outside // 2, 1, bias=False), nn.BatchNorm2d(outside // 2), nn.ReLU(),
            nn.Conv2d(outside // 2, outside // 2, 3, padding=1, bias=False), nn.BatchNorm2d(outside // 2), nn.ReLU(),
            nn.AvgPool2d(stride), nn.Conv2d(outside // 2, outside, 1, bias=False), nn.BatchNorm2d(outside),
        )  # fmt: skip
        self.shortcut = nn.Sequential(nn.AvgPool2d(stride), nn.Conv2d(inside, outside, 1), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.path(x) + self.shortcut(x))


class AttentionPool(nn.Module):
    """Features [B,C,h,w] to [B,D]: their mean asks all places, by torch's functional attention with separate weights."""

    def __init__(self, places: int) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(places + 1, WIDTH))
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.out = nn.Linear(WIDTH, DIM)

    def forward(self, x: Tensor) -> Tensor:
        x = x.reshape(x.shape[0], x.shape[1], x.shape[2] * x.shape[3]).permute(2, 0, 1)  # NCHW -> (HW)NC
        x = torch.cat([x.mean(dim=0, keepdim=True), x], dim=0) + self.positions[:, None, :]
        x, _ = functional.multi_head_attention_forward(
            query=x, key=x, value=x, embed_dim_to_check=WIDTH, num_heads=4, in_proj_weight=None,
            in_proj_bias=torch.cat([self.query.bias, self.key.bias, self.value.bias]), bias_k=None, bias_v=None,
            add_zero_attn=False, dropout_p=0.0, out_proj_weight=self.out.weight, out_proj_bias=self.out.bias,
            use_separate_proj_weight=True, q_proj_weight=self.query.weight, k_proj_weight=self.key.weight,
            v_proj_weight=self.value.weight, training=False, need_weights=False,
        )  # fmt: skip
        return x[0]


class ModifiedResNet(nn.Module):
    """RN50's form: a stem of three convolutions, anti-aliased blocks, attention pooling; [B,3,S,S] -> [B,D]."""

    def __init__(self, size: int = SIZE) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.AvgPool2d(2),
        )  # fmt: skip
        self.blocks = nn.Sequential(Bottleneck(16, WIDTH, 1), Bottleneck(WIDTH, WIDTH, 2))
        self.pool = AttentionPool((size // 8) ** 2)

    def forward(self, image: Tensor) -> Tensor:
        return functional.normalize(self.pool(self.blocks(self.stem(image))), dim=-1)


class TextTransformer(nn.Module):
    """Ids [B,L] to embeddings [B,D], pooled where the id is highest; causal, as CLIP's text tower."""

    def __init__(self, batch_first: bool = False, vocabulary: int = VOCABULARY, context: int = CONTEXT) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.tokens = nn.Embedding(vocabulary, WIDTH)
        self.positions = nn.Parameter(torch.randn(context, WIDTH))
        mask = torch.full((context, context), float("-inf")).triu(1)
        self.blocks = nn.Sequential(*(Block(mask, batch_first) for _ in range(2)))
        self.after = nn.LayerNorm(WIDTH)
        self.projection = nn.Parameter(torch.randn(WIDTH, DIM))

    def forward(self, text: Tensor) -> Tensor:
        x = self.tokens(text) + self.positions
        x = self.blocks(x) if self.batch_first else self.blocks(x.permute(1, 0, 2)).permute(1, 0, 2)
        x = self.after(x)
        return functional.normalize(x[torch.arange(x.shape[0]), text.argmax(dim=-1)] @ self.projection, dim=-1)


class MultilingualText(nn.Module):
    """M-CLIP's form: a two-way encoder, its mean over the tokens that the mask keeps, a linear map to [B,D]."""

    def __init__(self, pad_id: int) -> None:
        super().__init__()
        self.pad_id = pad_id
        self.tokens, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(CONTEXT + pad_id + 1, WIDTH)
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(WIDTH, 4, 2 * WIDTH, batch_first=True, activation="gelu") for _ in range(2))
        self.out = nn.Linear(WIDTH, DIM)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        kept = (input_ids != self.pad_id).int()
        x = self.tokens(input_ids) + self.positions((kept.cumsum(dim=1) * kept).long() + self.pad_id)
        for block in self.blocks:
            x = block(x, src_key_padding_mask=attention_mask == 0)
        weights = attention_mask.unsqueeze(2)
        pooled = (x * weights).sum(dim=1) / attention_mask.sum(dim=1)[:, None]
        return functional.normalize(self.out(pooled), dim=-1)


def randomised(model: nn.Module) -> nn.Module:
    """Larger weights than a library starts with, so that what a tower sees moves its embedding, and batch norms as after training."""
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.2)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.eval()
