"""Towers of other families than CLIP's own, small: SigLIP's both, and the multilingual text encoders. Embeddings have unit length."""

from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    M2M100Config,
    SiglipTextConfig,
    SiglipTextModel,
    SiglipVisionConfig,
    SiglipVisionModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)
from transformers.models.m2m_100.modeling_m2m_100 import M2M100Encoder

_SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
_PAD = 1


class SiglipImage(nn.Module):
    """Pictures [B,3,S,S] to [B,32], by SigLIP's pooling head."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.model = SiglipVisionModel(SiglipVisionConfig(**_SIZES, image_size=size, patch_size=8))

    def forward(self, image: Tensor) -> Tensor:
        return _unit(self.model(pixel_values=image).pooler_output)


class SiglipText(nn.Module):
    """Ids [B,64] to the state at the last of them, padding or not [B,32]."""

    def __init__(self, vocabulary: int, context: int) -> None:
        super().__init__()
        self.model = SiglipTextModel(SiglipTextConfig(**_SIZES, vocab_size=vocabulary, max_position_embeddings=context))

    def forward(self, text: Tensor) -> Tensor:
        return _unit(self.model(input_ids=text.long()).pooler_output)


class MultilingualClip(nn.Module):
    """M-CLIP's text tower: XLM-R, the mean of the states that the mask keeps, a linear map to [B,D]."""

    def __init__(self, vocabulary: int, dim: int) -> None:
        super().__init__()
        config = XLMRobertaConfig(**_SIZES, vocab_size=vocabulary, max_position_embeddings=80, pad_token_id=_PAD)
        self.transformer, self.linear = XLMRobertaModel(config, add_pooling_layer=False), nn.Linear(32, dim)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = self.transformer(input_ids=input_ids, attention_mask=attention_mask)[0]
        return _unit(self.linear((states * attention_mask.unsqueeze(2)).sum(1) / attention_mask.sum(1)[:, None]))


class NllbClip(nn.Module):
    """nllb-clip's text tower, as OpenCLIP wraps an encoder: it masks by the padding's id, takes the first state, projects it to [B,D]."""

    def __init__(self, vocabulary: int, dim: int) -> None:
        super().__init__()
        sizes = {"d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 64, "max_position_embeddings": 80}
        self.transformer = M2M100Encoder(M2M100Config(**sizes, vocab_size=vocabulary, pad_token_id=_PAD))
        self.projection = nn.Linear(32, dim, bias=False)

    def forward(self, text: Tensor) -> Tensor:
        states = self.transformer(input_ids=text, attention_mask=(text != _PAD).long())[0]
        return _unit(self.projection(states[:, 0]))


def _unit(embeddings: Tensor) -> Tensor:
    return functional.normalize(embeddings, dim=-1)
