"""The kinds of tokenizers that models bring, as small as they can be: byte-level BPE, BPE over pieces, Unigram, WordPiece, whole words."""

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing

_LINES = ["a photo of two red boats at night on a quiet sea", "ein rotes Boot am Abend, still und ruhig", "夜の海に浮かぶ赤い船"] * 5
_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "deu_Latn", "eng_Latn"]


def byte_bpe() -> Tokenizer:
    """CLIP's: knows every byte; start and end around the text."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return _trained(made, trainers.BpeTrainer(vocab_size=600, initial_alphabet=letters, end_of_word_suffix="</w>", **_OPTIONS))


def piece_bpe() -> Tokenizer:
    """NLLB's: the language's code stands in front, unknown letters have a token."""
    made = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    return _trained(made, trainers.BpeTrainer(vocab_size=300, **_OPTIONS))


def unigram() -> Tokenizer:
    """XLM-R's and SigLIP's: pieces with a weight each."""
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    return _trained(made, trainers.UnigramTrainer(vocab_size=120, unk_token="<unk>", **_OPTIONS))


def word_piece() -> Tokenizer:
    """BERT's, as Chinese CLIPs have it."""
    made = Tokenizer(models.WordPiece(unk_token="<unk>"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _trained(made, trainers.WordPieceTrainer(vocab_size=300, **_OPTIONS))


def whole_words() -> Tokenizer:
    """The demo's."""
    made = Tokenizer(models.WordLevel(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return _trained(made, trainers.WordLevelTrainer(**_OPTIONS))


KINDS = (byte_bpe, piece_bpe, unigram, word_piece, whole_words)
_OPTIONS = {"special_tokens": _SPECIAL, "show_progress": False}


def _trained(made: Tokenizer, trainer: trainers.Trainer) -> Tokenizer:
    made.train_from_iterator(_LINES, trainer)
    made.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return made
