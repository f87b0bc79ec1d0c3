"""`triptych models`: choose, pull, check and import models."""

import signal
from types import FrameType

import typer

from triptych.cli.models.check import verify
from triptych.cli.models.choose import list_
from triptych.cli.models.convert import convert
from triptych.cli.models.describe import show
from triptych.cli.models.fetch import pull
from triptych.cli.models.import_model import import_
from triptych.cli.models.remove import remove
from triptych.cli.models.use import use


def build() -> typer.Typer:
    """The group of commands."""
    app = typer.Typer(
        name="models", help="Models: the catalogue, the cache of pulled ones, and those in the repository.", no_args_is_help=True
    )
    app.callback()(_end_in_order)
    app.command("list")(list_)
    app.command()(show)
    app.command()(pull)
    app.command()(use)
    app.command("import")(import_)
    app.command()(convert)
    app.command()(verify)
    app.command()(remove)
    return app


def _end_in_order() -> None:
    """Models: the catalogue, the cache of pulled ones, and those in the repository."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C does: what was begun is undone
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
