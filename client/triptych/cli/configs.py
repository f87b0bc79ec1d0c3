"""`triptych configs`: the generated configs/<profile>.pbtxt of every network."""

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import CommandError
from triptych.cli.server_side import server_side

RepositoryOption = Annotated[Path | None, typer.Option(help="Folder with model_repository, python_models, ensembles.")]


def build() -> typer.Typer:
    """The group of commands."""
    app = typer.Typer(name="configs", help="Model configs, generated from the hardware profiles.", no_args_is_help=True)
    app.command()(render)
    app.command()(check)
    return app


def render(repository: RepositoryOption = None) -> None:
    """Write the configs that are not what config.pbtxt and the profiles make of them."""
    with server_side():
        from triptych_server.configs.profiles import write_profiles
        from triptych_server.repository import Repository

        target = Repository.locate(repository)
        written = write_profiles(target)
    for file in written:
        typer.echo(str(file.relative_to(target.root)))
    if not written:
        typer.echo("every generated config is up to date")


def check(repository: RepositoryOption = None) -> None:
    """Exit with 1 when a generated config is stale."""
    with server_side():
        from triptych_server.configs.profiles import stale_profiles
        from triptych_server.repository import Repository

        target = Repository.locate(repository)
        stale = stale_profiles(target)
    if stale:
        names = ", ".join(str(file.relative_to(target.root)) for file in stale)
        raise CommandError(f"{names} out of date; run `triptych configs render`")
    typer.echo("every generated config is up to date")
