"""Models that the benchmark makes for itself, kept from run to run: (cache, name, what they are made of) -> a folder."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def made_model(cache: Path, name: str, source: Mapping[str, object], makers: Sequence[Path], write: Callable[[Path], None]) -> Path:
    """The folder that `write` fills, or the one an earlier run left: of the same `source` (JSON) and `makers` (files)."""
    digest = hashlib.sha256(json.dumps(source, sort_keys=True).encode())
    for maker in makers:  # when one changes, no stale model is measured
        digest.update(maker.read_bytes())
    folder = cache / f"{name}-{digest.hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    draft = folder.with_suffix(".partial")  # a run that was interrupted must not leave half a model under the final name
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    write(draft)
    draft.rename(folder)
    return folder
