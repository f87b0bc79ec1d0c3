"""A CLIP of a hub: its two torch modules with their own preprocessing, which give the answers that the served model must give."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPImageProcessorPil, SiglipImageProcessorPil

from tests.support.hub import Files
from tests.support.hub_models.decoys import other_runtimes
from tests.support.hub_models.words import Words
from tests.support.reference_clip import OPENAI_MEAN, OPENAI_STD
from tests.support.towers import randomised

Row = NDArray[np.float32]


@dataclass(frozen=True)
class HubClip:
    """`size` pixels a side; a `squashed` picture loses its proportions, another one its edges."""

    visual: nn.Module
    textual: nn.Module
    words: Words
    size: int
    squashed: bool = False
    text_cfg: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        randomised(self.visual)
        randomised(self.textual)

    @property
    def mean(self) -> list[float]:
        return [0.5] * 3 if self.squashed else OPENAI_MEAN

    @property
    def std(self) -> list[float]:
        return [0.5] * 3 if self.squashed else OPENAI_STD

    def embed_image(self, file: Path, *, squashed: bool | None = None) -> Row:
        """[D], unit length; prepared as transformers does for models of this kind, or for those that squash, or that do not."""
        options = {"image_mean": self.mean, "image_std": self.std, "resample": Image.Resampling.BICUBIC}
        if self.squashed if squashed is None else squashed:
            processor = SiglipImageProcessorPil(size={"height": self.size, "width": self.size}, **options)
        else:
            processor = CLIPImageProcessorPil(size={"shortest_edge": self.size}, crop_size=self.size, **options)
        return _row(self.visual(processor([Image.open(file).convert("RGB")], return_tensors="pt").pixel_values))

    def embed_text(self, text: str, flores: str | None = None) -> Row:
        """[D], unit length; `flores`: the language's FLORES code."""
        rows = self.words.rows(text, flores)
        return _row(self.textual(*self.text_inputs(rows).values()))

    def text_inputs(self, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the text tower is called with, by the names of its export."""
        return {"text": rows["input_ids"]}

    def files(self, networks: Files) -> Files:
        """The repository around the files of the two networks, with those of other runtimes, which nobody may fetch."""
        preprocess = {"size": [self.size, self.size], "mode": "RGB", "mean": self.mean, "std": self.std, "interpolation": "bicubic"}
        preprocess["resize_mode"] = "squash" if self.squashed else "shortest"
        text = {"context_length": self.words.context_length, **self.text_cfg}
        config = {"vision_cfg": {"image_size": self.size, "patch_size": 8}, "text_cfg": text}
        return {
            ".gitattributes": b"*.onnx filter=lfs diff=lfs merge=lfs -text",
            "README.md": b"# random weights",
            "config.json": json.dumps(config).encode(),
            "visual/preprocess_cfg.json": json.dumps(preprocess).encode(),
            **self.words.files(),
            **networks,
            **other_runtimes("visual", "textual"),
        }


class MaskedClip(HubClip):
    """One whose text tower wants ids and a mask over them, as M-CLIP's."""

    def text_inputs(self, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"input_ids": rows["input_ids"], "attention_mask": rows["attention_mask"]}


def _row(embeddings: Tensor) -> Row:
    return nn.functional.normalize(embeddings.detach(), dim=-1)[0].numpy()
