"""`triptych models verify`: read the cache, and compare every file with the checksum it had when it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from triptych.cli.console import CommandError, err
from triptych.cli.models import options
from triptych.cli.server_side import server_side

if TYPE_CHECKING:
    from triptych_server.models.cache import Cache
    from triptych_server.models.model_name import ModelName


def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Models; all by default.", show_default=False)] = None,
    organisation: options.Organisation = None,
    cache: options.CacheFolder = None,
) -> None:
    """Check the pulled models' files. Exit code 1 when one has changed or is missing."""
    problems = []
    with server_side():
        from triptych_server.models.cache import Cache
        from triptych_server.models.model_name import model_name

        store = Cache.locate(cache)
        models = [model_name(name, organisation) for name in names or []]
        absent = [str(model) for model in models if model not in store.models()]
        if absent:
            raise CommandError(f"{', '.join(absent)} not in the cache ({store.root}); `triptych models list --installed` shows what is")
        for model in models or store.models():
            problems += _check(store, model)
    if problems:
        raise CommandError("; ".join(problems))


def _check(store: Cache, model: ModelName) -> list[str]:
    """Say of each snapshot whether it is as it was pulled; returns how to mend those that are not."""
    from triptych_server.errors import CacheError

    try:
        snapshots = store.of(model)
    except CacheError as error:
        return [str(error)]
    mending = []
    for cached in snapshots:
        title = f"{model} ({', '.join(cached.revisions)})"
        with err().status(f"reading {title}"):
            found = list(cached.manifest.damage(cached.folder))
        typer.echo(f"{title}: " + ("; ".join(found) or f"{len(cached.manifest.files)} files as they were pulled"))
        if found:
            revision = cached.revisions[0] if cached.revisions else cached.manifest.revision
            mending.append(f"damaged; `triptych models pull {model} --revision {revision} --again` fetches the damaged files anew")
    return mending
