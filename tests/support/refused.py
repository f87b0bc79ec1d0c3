"""What every refusal of an import keeps to: a call and the model that is served go in, the sentence comes out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from triptych_server.errors import ModelImportError, Status

SERVED = b"the model that is served"


def refused(call: Callable[[], Any], target: Path) -> str:
    """The text of the refusal; the target, and its folder, are as before."""
    with pytest.raises(ModelImportError) as caught:
        call()
    assert target.read_bytes() == SERVED
    assert [file.name for file in target.parent.iterdir()] == ["model.onnx"]
    assert caught.value.status is Status.INVALID_ARG
    text = str(caught.value)
    assert str(target.parent.parent) not in text, "a message must not show the server's paths"
    assert "\n" not in text
    return text
