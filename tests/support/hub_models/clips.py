"""The CLIPs of the hub, by family: a seed in, a model with random weights out. No two have the same shapes."""

import torch

from tests.support.hub_models.clip import HubClip, MaskedClip
from tests.support.hub_models.towers import MultilingualClip, NllbClip, SiglipImage, SiglipText
from tests.support.hub_models.words import clip_words, nllb_words, siglip_words, xlm_roberta_words
from tests.support.towers import DIM, ModifiedResNet, TextTransformer, VisionTransformer


def open_clip() -> HubClip:
    """OpenAI's and LAION's: a ViT and a causal text tower."""
    torch.manual_seed(1)
    words = clip_words()
    return HubClip(VisionTransformer(), TextTransformer(vocabulary=len(words.tokenizer), context=77), words, 32)


def resnet() -> HubClip:
    """OpenAI's RN50: a residual network with attention pooling."""
    torch.manual_seed(2)
    words = clip_words()
    return HubClip(ModifiedResNet(64), TextTransformer(vocabulary=len(words.tokenizer), context=77), words, 64)


def siglip() -> HubClip:
    """SigLIP: pictures squashed, texts made canonical, 64 tokens, padding that counts."""
    torch.manual_seed(3)
    words = siglip_words()
    text = SiglipText(len(words.tokenizer), words.context_length)
    return HubClip(SiglipImage(48), text, words, 48, squashed=True, text_cfg={"tokenizer_kwargs": {"clean": "canonicalize"}})


def m_clip() -> HubClip:
    """M-CLIP: XLM-R learned to give CLIP's text embeddings; the pictures are CLIP's."""
    torch.manual_seed(4)
    words = xlm_roberta_words()
    return MaskedClip(VisionTransformer(size=40), MultilingualClip(len(words.tokenizer), DIM), words, 40)


def nllb_clip() -> HubClip:
    """nllb-clip: SigLIP's pictures, a translator's encoder for texts in 200 languages."""
    torch.manual_seed(5)
    words = nllb_words()
    text = {"hf_model_name": "facebook/nllb-200-distilled-600M", "hf_tokenizer_name": "facebook/nllb-200-distilled-600M"}
    return HubClip(SiglipImage(56), NllbClip(len(words.tokenizer), 32), words, 56, squashed=True, text_cfg=text)
