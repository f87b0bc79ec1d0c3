"""Where the real photos and small real models for tests lie, or None: tests skip with a reason where they are absent."""

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[3] / "shared" / "real"

REAL: Path | None = _FOLDER if (_FOLDER / "MANIFEST.json").is_file() else None

needs_real = pytest.mark.skipif(REAL is None, reason="../shared/real (real photos and models) is not there")


def photos(pattern: str = "*") -> list[Path]:
    """The real photos whose file name matches `pattern`, sorted; empty where there are none."""
    return sorted((REAL / "photos").glob(pattern)) if REAL else []
