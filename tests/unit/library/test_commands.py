"""What the library's commands say where there is none yet."""

import pytest
from typer.testing import CliRunner

from triptych.cli.app import build


@pytest.mark.parametrize(
    "command",
    [
        ["people", "--library", "FILE"],
        ["people", "--library", "FILE", "show", "1"],
        ["similar", "--duplicates", "--library", "FILE"],
        ["search", "a boat", "--library", "FILE"],
        ["index", "--forget", "folder", "--library", "FILE"],
    ],
    ids=" ".join,
)
def test_who_looks_into_a_library_that_is_not_there_makes_none(command, tmp_path):
    file = tmp_path / "library.sqlite"
    done = CliRunner().invoke(build(), [str(file) if argument == "FILE" else argument for argument in command])
    assert f"there is no library {file}; to make it: triptych index FOLDER" in str(done.exception)
    assert not list(tmp_path.iterdir())
