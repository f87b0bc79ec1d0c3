"""`triptych status`: what it shows, what it says beside, and when it fails."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import typer

from triptych.cli import options
from triptych.cli.control_key import CONTROL_HEADERS
from triptych.cli.status import status
from triptych.status import NOT_LOADED, ModelStatus, ServerStatus
from triptych_server.engine import command

GOOD = ModelStatus("clip_visual", "READY", count=3)
LEFT_OUT = ModelStatus("face_detection", NOT_LOADED, "it was not loaded")
FAILED = ModelStatus("clip_textual", "UNAVAILABLE", "no weights")


@pytest.fixture
def show(monkeypatch, capsys):
    """`show(*models, note, **options)`: exit code, stdout and stderr of the command for a server in that state."""

    def run(*models, note=None, **given):
        server = SimpleNamespace(server_status=lambda: ServerStatus(models, note))
        monkeypatch.setattr(options.Server, "client", lambda *_: nullcontext(server))
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


def test_the_check_is_one_line_when_all_is_as_it_was_asked_for(show):
    code, shown, told = show(GOOD, LEFT_OUT, note="only ready models are listed", check=True)
    assert (code, told) == (0, "")
    assert shown == "1 models are ready, on the devices that they were asked to run on\n"


def test_the_check_says_each_problem_in_a_sentence(show):
    elsewhere = ModelStatus("clip_visual", "READY", device_requested="GPU", device_actual="CPU", precision="f32", fallback=True)
    code, shown, told = show(elsewhere, FAILED, check=True)
    assert (code, shown) == (1, "")
    assert told.splitlines() == [
        "triptych: clip_textual is UNAVAILABLE (no weights)",
        "triptych: clip_visual was to run on GPU, and runs on CPU in f32",
    ]


def test_the_control_key_opens_the_index(monkeypatch):
    sent = []
    monkeypatch.setenv("TRIPTYCH_CONTROL_KEY", "secret")

    def client(server, metrics_url, more):
        sent.extend([*server.header, *more])
        return nullcontext(SimpleNamespace(server_status=lambda: ServerStatus((GOOD,))))

    monkeypatch.setattr(options.Server, "client", client)
    with pytest.raises(typer.Exit) as end:
        status(check=True, header=["x-tenant: a"])
    assert end.value.exit_code == 0
    assert sent == ["x-tenant: a", *(f"{name}: secret" for name in CONTROL_HEADERS)]
    assert CONTROL_HEADERS == command.CONTROL_HEADERS  # the two packages do not import each other
