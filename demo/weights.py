"""The demo weights run by onnxruntime alone: a picture or a text in, a unit vector out. The yardstick for what is served."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer

WEIGHTS = Path(__file__).resolve().parent / "weights" / "clip"


class DemoClip:
    """Both towers of a model folder in the hub layout (OpenCLIP's export form, batch 1)."""

    def __init__(self, folder: Path = WEIGHTS, *, threads: int = 2) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        providers = ["CPUExecutionProvider"]
        self._visual = ort.InferenceSession(str(folder / "visual" / "model.onnx"), options, providers=providers)
        self._textual = ort.InferenceSession(str(folder / "textual" / "model.onnx"), options, providers=providers)
        self._transform = json.loads((folder / "visual" / "preprocess_cfg.json").read_text(encoding="utf-8"))
        pad = json.loads((folder / "textual" / "tokenizer_config.json").read_text(encoding="utf-8"))["pad_token"]
        length = json.loads((folder / "config.json").read_text(encoding="utf-8"))["text_cfg"]["context_length"]
        self._tokenizer = Tokenizer.from_file(str(folder / "textual" / "tokenizer.json"))
        self._tokenizer.enable_truncation(length)
        self._tokenizer.enable_padding(length=length, pad_token=pad, pad_id=self._tokenizer.token_to_id(pad))

    def embed_image(self, image: Image.Image) -> NDArray[np.float32]:
        """Any RGB picture -> f32 [512]: shorter side to 224 (bicubic), centre crop, normalise, run."""
        size = self._transform["size"][0]
        scale = size / min(image.size)
        wide = max(size, round(image.width * scale)), max(size, round(image.height * scale))
        left, top = (wide[0] - size) // 2, (wide[1] - size) // 2
        square = image.resize(wide, Image.Resampling.BICUBIC).crop((left, top, left + size, top + size))
        mean, std = (np.array(self._transform[name], dtype=np.float32) for name in ("mean", "std"))
        pixels = (np.asarray(square, dtype=np.float32) / 255 - mean) / std
        embedding: NDArray[np.float32] = self._visual.run(None, {"image": pixels.transpose(2, 0, 1)[None]})[0][0]
        return embedding

    def embed_text(self, text: str) -> NDArray[np.float32]:
        """One text -> f32 [512]."""
        tokens = np.array([self._tokenizer.encode(" ".join(text.split())).ids], dtype=np.int32)
        embedding: NDArray[np.float32] = self._textual.run(None, {"text": tokens})[0][0]
        return embedding
