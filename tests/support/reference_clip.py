"""Randomly initialised CLIP and SigLIP of transformers: they embed real photos and strings, and export themselves as a hub has them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import nn
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTokenizerFast,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SiglipTokenizer,
)

OPENAI_MEAN, OPENAI_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


@dataclass(frozen=True)
class Reference:
    """A transformers model with its own preprocessing: the answers that the served model must give."""

    model: Any
    processor: Any
    tokenizer: Any
    context_length: int
    clean: Callable[[str], str] = str  # what the model's own tokenizer does before tokenizer.json

    def embed_images(self, files: list[Path]) -> NDArray[np.float32]:
        """Photos as transformers' own processor prepares them, to unit-length rows."""
        pictures = [ImageOps.exif_transpose(Image.open(file)).convert("RGB") for file in files]
        pixels = self.processor(pictures, return_tensors="pt").pixel_values
        return _unit(torch.cat([_tensor(self.model.get_image_features(pixel_values=row[None])) for row in pixels]))

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Texts to unit-length rows."""
        options = {"padding": "max_length", "truncation": True, "max_length": self.context_length, "return_tensors": "pt"}
        ids = self.tokenizer([self.clean(text) for text in texts], **options).input_ids
        return _unit(torch.cat([_tensor(self.model.get_text_features(input_ids=row[None])) for row in ids]))

    def export(self, folder: Path) -> Path:
        """Write the model as OpenCLIP's and Immich's legacy exports are: float NCHW pictures, batch fixed at 1, unit length."""
        vision = self.model.config.vision_config
        size = vision.image_size
        (folder / "visual").mkdir(parents=True)
        (folder / "textual").mkdir()
        _export(_Visual(self.model), torch.zeros(1, 3, size, size), "image", folder / "visual" / "model.onnx")
        ids = torch.zeros(1, self.context_length, dtype=torch.int32)
        ids[0, -1] = self.model.config.text_config.vocab_size - 1
        _export(_Textual(self.model), ids, "text", folder / "textual" / "model.onnx")
        siglip = isinstance(self.model, SiglipModel)
        text: dict[str, Any] = {"context_length": self.context_length}
        if siglip:
            text["tokenizer_kwargs"] = {"clean": "canonicalize"}
        _write(folder / "config.json", {"embed_dim": 768 if siglip else 512, "vision_cfg": {"image_size": size}, "text_cfg": text})
        preprocess = {
            "size": [size, size],
            "mean": list(self.processor.image_mean),
            "std": list(self.processor.image_std),
            "interpolation": "bicubic",
            "resize_mode": "squash" if siglip else "shortest",
        }
        _write(folder / "visual" / "preprocess_cfg.json", preprocess)
        self.tokenizer.backend_tokenizer.no_padding()
        self.tokenizer.backend_tokenizer.no_truncation()
        self.tokenizer.backend_tokenizer.save(str(folder / "textual" / "tokenizer.json"))
        _write(folder / "textual" / "tokenizer_config.json", {"pad_token": self.tokenizer.pad_token})
        return folder


def clip_b32(vocabulary: Path) -> Reference:
    """CLIP ViT-B/32 at full size; `vocabulary` is the folder with CLIP's vocab.json and merges.txt."""
    torch.manual_seed(32)
    config = CLIPConfig(
        projection_dim=512, vision_config={"projection_dim": 512}, text_config={"projection_dim": 512, "eos_token_id": 49407}
    )
    model = CLIPModel(config).eval()
    processor = CLIPImageProcessorPil(image_mean=OPENAI_MEAN, image_std=OPENAI_STD)
    tokenizer = CLIPTokenizerFast(str(vocabulary / "vocab.json"), str(vocabulary / "merges.txt"))
    return Reference(model, processor, tokenizer, 77)


def siglip_b16() -> Reference:
    """SigLIP ViT-B/16 at full width, squashing, with 4 of its 12 layers, for they are alike; and a small tokenizer of its own, trained on the spot."""
    torch.manual_seed(16)
    tokenizer = siglip_tokenizer()
    layers = {"num_hidden_layers": 4}
    model = SiglipModel(SiglipConfig(text_config={"vocab_size": tokenizer.vocab_size, **layers}, vision_config=layers)).eval()
    processor = SiglipImageProcessorPil(size={"height": 224, "width": 224}, resample=Image.Resampling.BICUBIC)
    return Reference(model, processor, tokenizer, 64, CanonicalText().canonicalize_text)


class CanonicalText:
    """The text cleaning of transformers' SigLIP tokenizer, without its vocabulary."""

    do_lower_case = True
    remove_punctuation = SiglipTokenizer.remove_punctuation
    canonicalize_text = SiglipTokenizer.canonicalize_text


def siglip_tokenizer() -> Any:
    """Byte-level BPE that ends with </s> and pads with it, as SigLIP's does; canonicalising is the caller's, as in OpenCLIP."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(["a photo of two red boats at night on a quiet sea with stars above"] * 20, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="</s>", eos_token="</s>")


class _Visual(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(_tensor(self.model.get_image_features(pixel_values=image)), dim=-1)


class _Textual(_Visual):
    def forward(self, text: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(_tensor(self.model.get_text_features(input_ids=text.long())), dim=-1)


def _tensor(output: Any) -> torch.Tensor:
    """transformers 5 wraps the features in an output object."""
    return output if isinstance(output, torch.Tensor) else output.pooler_output


def _unit(rows: torch.Tensor) -> NDArray[np.float32]:
    return nn.functional.normalize(rows.detach(), dim=-1).numpy()


def _export(model: nn.Module, sample: torch.Tensor, name: str, target: Path) -> None:
    with torch.no_grad():
        torch.onnx.export(model, (sample,), str(target), input_names=[name], output_names=["embedding"], opset_version=17, dynamo=False)


def _write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content))
