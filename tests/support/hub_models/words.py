"""The four kinds of tokenizers, small: what lies on the hub, and transformers' own of that kind, which cleans, pads and cuts by itself."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from torch import Tensor
from transformers import CLIPTokenizer, NllbTokenizer, XLMRobertaTokenizer

from tests.support.hub import Files
from tests.support.reference_clip import CanonicalText, siglip_tokenizer

_LINES = [
    "a photo of two red boats at night on a quiet sea",
    "ein rotes Boot am Abend, still und ruhig",
    "dois barcos vermelhos à noite no mar",
    "夜の海に浮かぶ赤い船",
]
_FIRST = ["<s>", "<pad>", "</s>", "<unk>"]  # the ids 0 to 3 of both multilingual kinds


@dataclass(frozen=True)
class Words:
    """A tokenizer; `clean` is what the model's own library does with a text before."""

    tokenizer: Any
    context_length: int
    clean: Callable[[str], str] = str

    def rows(self, text: str, flores: str | None = None) -> dict[str, Tensor]:
        """`input_ids` and `attention_mask` [1,L]; `flores`: the code of the language, for NLLB."""
        if flores:
            self.tokenizer.src_lang = flores
        options = {"padding": "max_length", "truncation": True, "max_length": self.context_length, "return_tensors": "pt"}
        return self.tokenizer([self.clean(text)], return_attention_mask=True, **options)

    def files(self) -> Files:
        """The two files of a hub's repository."""
        config = {"pad_token": self.tokenizer.pad_token, "model_max_length": self.context_length}
        return {"textual/tokenizer.json": self._file().to_str().encode(), "textual/tokenizer_config.json": json.dumps(config).encode()}

    def _file(self) -> Tokenizer:
        bare = Tokenizer.from_str(self.tokenizer.backend_tokenizer.to_str())
        bare.no_padding()
        bare.no_truncation()
        if isinstance(self.tokenizer, NllbTokenizer):  # whoever asks names the language, in front of the text
            bare.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
        return bare


def clip_words() -> Words:
    """CLIP's: BPE over bytes whose words end in </w>; start and end are the highest ids, and the end pads."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    _, merges = _bpe(pre_tokenizers.ByteLevel(add_prefix_space=False), initial_alphabet=letters, end_of_word_suffix="</w>")
    parts = [*letters, *(f"{letter}</w>" for letter in letters), *map("".join, merges), "<|startoftext|>", "<|endoftext|>"]
    return Words(CLIPTokenizer(vocab=_numbered(parts), merges=merges), 77)


def siglip_words() -> Words:
    """SigLIP's: texts in canonical form, </s> as end and as padding."""
    return Words(siglip_tokenizer(), 64, CanonicalText().canonicalize_text)


def xlm_roberta_words() -> Words:
    """XLM-R's: pieces with a weight each, <s> and </s> around them, <pad>."""
    pieces, _ = _bpe(pre_tokenizers.Metaspace())
    weighted = [(piece, len(piece) / 2 - 9.0) for piece in pieces if piece not in _FIRST]
    return Words(XLMRobertaTokenizer(vocab=[*((piece, 0.0) for piece in _FIRST), *weighted, ("<mask>", 0.0)]), 77)


def nllb_words() -> Words:
    """NLLB's: the language's FLORES code, then BPE over pieces, </s>, <pad>."""
    pieces, merges = _bpe(pre_tokenizers.Metaspace())
    return Words(NllbTokenizer(vocab=_numbered([*_FIRST, *pieces]), merges=merges), 77)


def _numbered(pieces: list[str]) -> dict[str, int]:
    return {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}


def _bpe(split: pre_tokenizers.PreTokenizer, **options: Any) -> tuple[list[str], list[tuple[str, str]]]:
    """Pieces and merges of a BPE that was trained on a few lines, here and now."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = split
    tokenizer.train_from_iterator(_LINES * 5, trainers.BpeTrainer(vocab_size=700, show_progress=False, **options))
    made = json.loads(tokenizer.to_str())["model"]
    return list(made["vocab"]), [tuple(pair) for pair in made["merges"]]
