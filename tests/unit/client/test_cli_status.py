"""`triptych status`: what it shows, what it says beside, and when it fails."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import typer

from triptych.cli import options
from triptych.cli.status import status
from triptych.status import NOT_LOADED, ModelStatus, ServerStatus

GOOD = ModelStatus("clip_visual", "READY", count=3)
LEFT_OUT = ModelStatus("face_detection", NOT_LOADED, "it was not loaded")
FAILED = ModelStatus("clip_textual", "UNAVAILABLE", "no weights")


@pytest.fixture
def show(monkeypatch, capsys):
    """`show(*models, note, **options)`: exit code, stdout and stderr of the command for a server in that state."""

    def run(*models, note=None, **given):
        server = SimpleNamespace(server_status=lambda: ServerStatus(models, note))
        monkeypatch.setattr(options, "client", lambda *_: nullcontext(server))
        code = 0
        try:
            status(**given)
        except typer.Exit as end:
            code = end.exit_code
        return code, *capsys.readouterr()

    return run


def test_every_model_has_a_row(show):
    code, shown, told = show(GOOD, ModelStatus("search_image", "READY"))
    assert (code, told) == (0, "")
    assert [line.split()[:2] for line in shown.splitlines()[1:]] == [["clip_visual", "READY"], ["search_image", "READY"]]


def test_a_model_that_failed_is_a_failure_with_its_reason(show):
    code, shown, told = show(GOOD, FAILED, LEFT_OUT)
    assert code == 1
    assert "UNAVAILABLE" in shown
    assert told.endswith("triptych: 1 of 3 models are not ready: clip_textual is UNAVAILABLE (no weights)\n")


def test_a_model_that_was_left_out_is_shown_and_is_no_failure(show):
    code, shown, told = show(GOOD, LEFT_OUT)
    assert (code, told) == (0, "")
    assert NOT_LOADED in shown


def test_what_could_not_be_read_is_told_beside(show):
    assert show(GOOD, note="no metrics")[2] == "note: no metrics\n"


def test_json_stands_alone(show):
    code, shown, told = show(GOOD, LEFT_OUT, note="no metrics", as_json=True)
    assert (code, told) == (0, "")
    assert [model["state"] for model in json.loads(shown)["models"]] == ["READY", NOT_LOADED]
