"""`triptych models import`: bring a model from a folder into the repository."""

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import err
from triptych.cli.models import options
from triptych.cli.models.use import say_placed
from triptych.cli.server_side import server_side

DEMO = Path("demo")
"""Stands for the small models that the repository brings along."""


def import_(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A CLIP (config.json, visual/, textual/) or a face pack (detection/, recognition/) as a hub gives it; or: demo.",
            show_default=False,
        ),
    ],
    legacy_resize: options.LegacyResize = False,
    no_reload: options.NoReload = False,
    repository: options.RepositoryFolder = None,
) -> None:
    """Check a model against its original, bring it into the served form, and put it in place, under running servers too."""
    with server_side():
        from triptych_server.models.any_folder import use_any
        from triptych_server.repository import Repository

        target = Repository.locate(repository)
        is_demo = folder == DEMO and not any((folder / part).is_dir() for part in ("visual", "detection"))
        swapped, changed = 0, False
        for each in (target.demo_weights, target.demo_faces) if is_demo else (folder,):
            with err().status(f"importing {each}"):
                placed = use_any(each, target, legacy_resize=legacy_resize, swap=not no_reload)
            swapped, changed = max(swapped, placed.swapped), changed or bool(placed.files)
    say_placed(str(folder), swapped, changed=changed, no_reload=no_reload)
