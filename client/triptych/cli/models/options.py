"""Options that several commands on models have."""

from pathlib import Path
from typing import Annotated

import typer

Name = Annotated[str, typer.Argument(help="As in `triptych models list`, in any of the usual spellings.", show_default=False)]
Revision = Annotated[str, typer.Option("--revision", help="Branch, tag or commit; Immich's: main (legacy exports), v2.")]
Organisation = Annotated[str | None, typer.Option("--organisation", help="Whose repository on the hub.", show_default="immich-app")]
CacheFolder = Annotated[
    Path | None,
    typer.Option("--cache", help="Folder of pulled models; else $TRIPTYCH_CACHE.", show_default="~/.cache/triptych/models"),
]
RepositoryFolder = Annotated[Path | None, typer.Option("--repository", help="Folder with model_repository, python_models, ensembles.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

REVISION = "main"
_LEGACY = "Resize as Immich did up to 3.2 (shortest side, bicubic), whatever the model says: for libraries indexed by it."
LegacyResize = Annotated[bool, typer.Option("--legacy-resize", help=_LEGACY)]
LegacyResizeOrAsBefore = Annotated[
    bool | None, typer.Option("--legacy-resize/--no-legacy-resize", help=_LEGACY, show_default="as the model is served now")
]
NoReload = Annotated[bool, typer.Option("--no-reload", help="Leave running servers with the old model; the next start takes the new one.")]
