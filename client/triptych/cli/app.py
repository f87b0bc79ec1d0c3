"""The commands put together, and what becomes of their errors."""

import sys
from importlib import metadata
from typing import Annotated

import typer

from triptych.cli import bench, configs, doctor, embed, faces, gateway, index, models, people, search, serve, similar, status, tune, ui
from triptych.cli.console import fail
from triptych.errors import TriptychError


def build() -> typer.Typer:
    """The command line, as a Typer app."""
    app = typer.Typer(
        name="triptych",
        help="Smart search and faces over photos with a Triton Inference Server.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    app.command()(serve.serve)
    app.command()(gateway.gateway)
    app.command()(ui.ui)
    app.command()(status.status)
    app.command()(doctor.doctor)
    app.command()(embed.embed)
    app.command()(index.index)
    app.command()(search.search)
    app.command()(similar.similar)
    app.add_typer(people.build())
    app.command()(faces.faces)
    app.command()(tune.tune)
    app.add_typer(bench.build())
    app.add_typer(models.build())
    app.add_typer(configs.build())
    return app


def main() -> None:
    """Run the command line; exit codes: 0 well, 1 an error, 2 a wrong option, 130 Ctrl-C."""
    try:
        build()()
    except TriptychError as error:
        sys.exit(fail(str(error)))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        sys.exit(fail(f"{error.strerror or error}{where}"))


def _version(asked: bool) -> None:
    if not asked:
        return
    try:
        typer.echo(f"triptych {metadata.version('triptych')}")
    except metadata.PackageNotFoundError:
        typer.echo("triptych (not installed: running from its source folder)")
    raise typer.Exit


def _options(
    version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")] = False,
) -> None:
    """Options of the program itself; `--version` has ended it before this is called."""
