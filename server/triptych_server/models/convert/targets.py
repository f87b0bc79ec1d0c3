"""The compiler for a target by its name, with its environment made where it needs one."""

from pathlib import Path

from triptych_server.errors import ConversionError
from triptych_server.models.convert import armnn, rknn
from triptych_server.models.convert.convert import Converter
from triptych_server.models.convert.environment import Say, prepare


def converter_for(target: str, say: Say, *, cache: Path | None = None) -> Converter:
    """The converter, ready to run; `cache` is where environments are kept. ConversionError for an unknown target."""
    if target in rknn.TARGETS:
        return rknn.RknnConverter(prepare(rknn.RECIPE, say, cache=cache), target)
    if target == armnn.TARGET:
        return armnn.ArmnnConverter(prepare(armnn.RECIPE, say, cache=cache))
    raise ConversionError(f"unknown target {target!r}; there are: {', '.join((*rknn.TARGETS, armnn.TARGET))}")
