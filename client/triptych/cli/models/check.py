"""`triptych models verify`: read the cache, and compare every file with the checksum it had when it came."""

from typing import Annotated

import typer

from triptych.cli.console import CommandError, err
from triptych.cli.models import options
from triptych.cli.server_side import server_side


def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Models; all by default.", show_default=False)] = None,
    organisation: options.Organisation = None,
    cache: options.CacheFolder = None,
) -> None:
    """Check the pulled models' files. Exit code 1 when one has changed or is missing."""
    damaged = []
    with server_side():
        from triptych_server.models.cache import Cache
        from triptych_server.models.model_name import model_name

        store = Cache.locate(cache)
        models = [model_name(name, organisation) for name in names or []]
        absent = [str(model) for model in models if not store.of(model)]
        if absent:
            raise CommandError(f"{', '.join(absent)} not in the cache ({store.root}); `triptych models list --installed` shows what is")
        for cached in [cached for model in models for cached in store.of(model)] if models else store.all():
            title = f"{cached.model} ({', '.join(cached.revisions)})"
            with err().status(f"reading {title}"):
                found = list(cached.manifest.damage(cached.folder))
            typer.echo(f"{title}: " + ("; ".join(found) or f"{len(cached.manifest.files)} files as they were pulled"))
            if found:
                revision = cached.revisions[0] if cached.revisions else cached.manifest.revision
                damaged.append(f"`triptych models pull {cached.model} --revision {revision} --again`")
    if damaged:
        raise CommandError(f"damaged; {', '.join(damaged)} fetches the damaged files anew")
