"""The real CLIP vocabulary as transformers' tokenizer and as the tokenizer.json it writes, made once per run."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.real import REAL


@pytest.fixture(scope="session")
def reference() -> Any:
    """transformers' CLIPTokenizer with OpenAI's vocabulary."""
    if REAL is None:
        pytest.skip("../shared/real (real photos and models) is not there")
    transformers = pytest.importorskip("transformers")
    folder = REAL / "clip_bpe"
    return transformers.CLIPTokenizerFast(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"))


@pytest.fixture(scope="session")
def tokenizer_json(reference: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same tokenizer as a tokenizer.json."""
    target = tmp_path_factory.mktemp("clip") / "tokenizer.json"
    reference.backend_tokenizer.save(str(target))
    return target
