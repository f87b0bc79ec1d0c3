"""A CLIP model in a folder as a hub gives it: both towers, the tokenizer, and the facts beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from triptych_server.errors import ModelImportError
from triptych_server.json_text import read_json
from triptych_server.models.preprocess import Preprocess, read_preprocess
from triptych_server.text.tokenizer import Clean, ClipTokenizer, LanguagePrefix, TokenizerOptions

PARTS = ("visual/model.onnx", "textual/model.onnx", "textual/tokenizer.json")


@dataclass(frozen=True, slots=True)
class ClipFolder:
    """What serving needs to know beyond the graphs. `context_length` in tokens; `clean` is whitespace or canonicalize;
    `language_prefix` is none or flores."""

    visual: Path
    textual: Path
    tokenizer: Path
    preprocess: Preprocess
    context_length: int
    pad_id: int
    clean: Clean
    language_prefix: LanguagePrefix

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder in the layout of the hub's `immich-app` repositories. ModelImportError when a part is missing or odd."""
        missing = [part for part in PARTS if not (folder / part).is_file()]
        if missing:
            raise ModelImportError(
                f"{folder.name} is no CLIP model folder: {', '.join(missing)} missing; expected config.json, "
                "visual/model.onnx, visual/preprocess_cfg.json, textual/model.onnx, textual/tokenizer.json and tokenizer_config.json"
            )
        text = _object(_json(folder / "config.json"), "text_cfg")
        kwargs = _object(text, "tokenizer_kwargs")
        tokenizer = folder / "textual" / "tokenizer.json"
        uses_flores = "nllb" in f"{folder.name} {text.get('hf_tokenizer_name', '')}".lower()
        return cls(
            visual=folder / "visual" / "model.onnx",
            textual=folder / "textual" / "model.onnx",
            tokenizer=tokenizer,
            preprocess=read_preprocess(folder),
            context_length=_context_length(text.get("context_length", 77)),
            pad_id=_pad_id(tokenizer, _json(folder / "textual" / "tokenizer_config.json").get("pad_token")),
            clean="canonicalize" if kwargs.get("clean") == "canonicalize" else "whitespace",
            language_prefix="flores" if uses_flores else "none",
        )

    def tokenize(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """Texts to token rows int32 [N,L], as clip_tokenize will make them."""
        options = TokenizerOptions(self.context_length, self.pad_id, self.clean, self.language_prefix)
        return ClipTokenizer.load(self.tokenizer, options).encode_batch(texts)


def _pad_id(tokenizer: Path, token: Any) -> int:
    """The id of the pad token, which tokenizer_config.json gives as text or as an object with `content`; 0 when it names none."""
    if token is None:
        return 0
    content = token.get("content") if isinstance(token, dict) else token
    try:
        known = Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # the library raises bare Exception for anything it cannot parse
        raise ModelImportError(f"{tokenizer.name} cannot be read as a Hugging Face tokenizer: {error}") from None
    found = known.token_to_id(str(content))
    if found is None:
        raise ModelImportError(f"tokenizer_config.json names the pad token {content!r}, which tokenizer.json does not know")
    return int(found)


def _context_length(value: Any) -> int:
    if not isinstance(value, int) or not 4 <= value <= 4096:
        raise ModelImportError(f"config.json: text_cfg.context_length is {value!r}; expected 4 to 4096 tokens")
    return value


def _object(content: dict[str, Any], key: str) -> dict[str, Any]:
    """A JSON object inside another; {} where there is none."""
    value = content.get(key) or {}
    if not isinstance(value, dict):
        raise ModelImportError(f"config.json: {key} is {value!r}; expected an object")
    return value


def _json(file: Path) -> dict[str, Any]:
    """A JSON object; {} where there is no such file."""
    try:
        content = read_json(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ModelImportError(f"{file.name} is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise ModelImportError(f"{file.name} holds no JSON object")
    return content
