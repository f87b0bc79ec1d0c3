"""`triptych models use`: make a model of the catalogue the served one, under a running server too."""

import typer

from triptych.cli.console import err
from triptych.cli.models import options
from triptych.cli.models.fetch import progress_bar
from triptych.cli.server_side import server_side


def use(
    name: options.Name,
    revision: options.Revision = options.REVISION,
    organisation: options.Organisation = None,
    legacy_resize: options.LegacyResizeOrAsBefore = None,
    no_reload: options.NoReload = False,
    cache: options.CacheFolder = None,
    repository: options.RepositoryFolder = None,
) -> None:
    """Serve a model: pull it if it is not here, check it against its original, put it in place. Running servers change over without
    a failed request; when one cannot load it, everything stays as it was. To go back, use the old model again."""
    with server_side():
        from triptych_server.models.cache import Cache
        from triptych_server.models.model_name import model_name
        from triptych_server.models.use_named import use_named
        from triptych_server.repository import Repository

        model, target = model_name(name, organisation), Repository.locate(repository)
        if model.known and not model.known.licence.free:
            err().print(f"licence of the weights: {model.known.licence}", markup=False, soft_wrap=True)
        with progress_bar(str(model)) as watcher:
            placed = use_named(
                model,
                target,
                cache=Cache.locate(cache),
                revision=revision,
                legacy_resize=legacy_resize,
                swap=not no_reload,
                watcher=watcher,
            )
    say_placed(str(model), placed.swapped, changed=bool(placed.files), no_reload=no_reload)


def say_placed(model: str, swapped: int, *, changed: bool, no_reload: bool) -> None:
    """What has become of a model that was put in place."""
    if not swapped and not changed:
        typer.echo(f"{model} is in place already; nothing was changed")
    elif swapped:
        typer.echo(f"{model} is served now; {swapped} running server{'s' * (swapped > 1)} changed over")
    elif no_reload:
        typer.echo(f"{model} is in place; restart the server to use it")
    else:
        typer.echo(f"{model} is in place; `triptych serve` serves it")
