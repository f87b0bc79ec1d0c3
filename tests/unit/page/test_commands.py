"""What `triptych ui` and `triptych gateway --library` refuse before they start."""

import pytest
from typer.testing import CliRunner

from triptych.cli.app import build


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["gateway", "--library", "LIBRARY", "--host", "0.0.0.0"], "set --api-keys or TRIPTYCH_API_KEY, or bind to loopback"),
        (["gateway", "--library", "LIBRARY", "--host", "192.168.1.5"], "set --api-keys or TRIPTYCH_API_KEY, or bind to loopback"),
        (["gateway", "--index", "photos"], "--index says what the page's library is to have; name its file"),
        (["ui", "--library", "LIBRARY", "--serve", "--triton", "127.0.0.1:8001"], "give one of them"),
        (["ui", "nowhere", "--library", "LIBRARY"], "nowhere is no folder"),
        (["ui", "--library", "NOTHING"], "cannot be opened as a library"),
    ],
)
def test_it_is_said_why(arguments, why, tmp_path):
    (tmp_path / "text").write_text("no library, but longer than the header of one: " + "x" * 100)
    names = {"LIBRARY": str(tmp_path / "library.sqlite"), "NOTHING": str(tmp_path / "text")}
    done = CliRunner().invoke(build(), [names.get(argument, argument) for argument in arguments])
    assert why in str(done.exception)
