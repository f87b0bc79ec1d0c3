"""`triptych models import`: bring a model from a folder into the repository."""

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import err
from triptych.cli.server_side import server_side

DEMO = Path("demo")
"""Stands for the small CLIP that the repository brings along."""


def import_(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A CLIP (config.json, visual/, textual/) or a face pack (detection/, recognition/) as a hub gives it; or: demo.",
            show_default=False,
        ),
    ],
    repository: Annotated[Path | None, typer.Option(help="Folder with model_repository, python_models, ensembles.")] = None,
) -> None:
    """Check a model against its original, bring it into the served form, and put it in place."""
    with server_side():
        from triptych_server.models.any_folder import use_any
        from triptych_server.repository import Repository

        target = Repository.locate(repository)
        if folder == DEMO and not (folder / "visual").is_dir():
            folder = target.demo_weights
        with err().status(f"importing {folder}"):
            use_any(folder, target)
    typer.echo(f"{folder} is in place; restart the server to use it")
