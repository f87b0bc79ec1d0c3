"""Exports for the import's tests, each made once per run."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.refused import SERVED


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Name -> tests.support.exports.Export; skips where torch or transformers are not installed."""
    pytest.importorskip("torch", reason="torch is not installed: there is nothing to export with")
    pytest.importorskip("transformers", reason="transformers is not installed: it is a reference")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed: torch exports with it")
    from tests.support.exports import make

    folder = tmp_path_factory.mktemp("exports")
    return cache(lambda name: make(name, folder))


@pytest.fixture(scope="session")
def face_export(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Name -> tests.support.face_exports.FaceExport; skips where torch is not installed."""
    pytest.importorskip("torch", reason="torch is not installed: there is nothing to export with")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed: torch exports with it")
    from tests.support.face_exports import make

    folder = tmp_path_factory.mktemp("face_exports")
    return cache(lambda name: make(name, folder))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A served model in a folder of its own."""
    target = tmp_path / "served" / "model.onnx"
    target.parent.mkdir()
    target.write_bytes(SERVED)
    return target
