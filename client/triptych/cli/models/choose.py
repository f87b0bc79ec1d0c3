"""`triptych models list`: what there is, how good it is and what it takes, and what is here already."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from triptych.cli.console import CommandError, err, out
from triptych.cli.models import options
from triptych.cli.models.describe import facts_of, facts_of_cached
from triptych.cli.server_side import server_side

if TYPE_CHECKING:  # the server part may not be installed
    from triptych_server.models.cache import Cached
    from triptych_server.models.catalogue import CatalogueModel

_ABSENT = "-"


def list_(
    task: Annotated[str | None, typer.Option(help="clip or faces.")] = None,
    language: Annotated[str | None, typer.Option(help="For searches in this language (de, pt-BR, German); orders by its recall.")] = None,
    dim: Annotated[int | None, typer.Option(min=1, help="Numbers in an embedding.")] = None,
    max_memory: Annotated[int | None, typer.Option(min=1, help="At most so many MiB, about.")] = None,
    installed: Annotated[bool, typer.Option("--installed", help="Only those in the cache.")] = False,
    cache: options.CacheFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """List the models of the catalogue, the best first."""
    if task not in (None, "clip", "faces"):
        raise CommandError(f"--task {task}: expected clip or faces")
    with server_side():
        from triptych_server.models.cache import Cache
        from triptych_server.models.catalogue import catalogue

        known = catalogue()
        code = known.language(language) if language else None
        here = Cache.locate(cache).all()
        names = {cached.model.name for cached in here}
        models = known.choose(task=task, language=code, dim=dim, max_memory_mib=max_memory, names=names if installed else None)
        others = [cached for cached in here if cached.model.known is None] if installed and not (task or code or dim or max_memory) else []
    if as_json:
        typer.echo(json.dumps([facts_of(model, here) for model in models] + [facts_of_cached(cached) for cached in others], indent=2))
        return
    if not models and not others:
        raise CommandError("no model meets all of this; leave a condition out, or see `triptych models list`")
    out().print(_table(models, others, here, code or "en"))
    language_name = known.languages.get(code or "en", code)
    note = f"%: recall of searches in {language_name}; of faces, InsightFace's MR-ALL. MiB of memory and MB on disk: about, in f32"
    err().print(note, style="dim", soft_wrap=True)


def _table(models: "list[CatalogueModel]", others: "list[Cached]", here: "list[Cached]", language: str) -> Table:
    """Narrow enough for 80 columns, but for the longest names; the last column is there when the cache has something to show."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("model", overflow="fold", min_width=32)
    for title in ("dim", "px", "%", "MiB", "MB"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("lang", no_wrap=True)
    table.add_column("licence", no_wrap=True)
    names = {cached.model.name for cached in here}
    if others or any(model.name in names for model in models):
        table.add_column("in the cache", overflow="fold")
    for model in models:
        quality = model.quality(language)
        table.add_row(
            Text(model.name, style="green" if model.name in names else ""),
            str(model.dim),
            str(model.size),
            _ABSENT if quality is None else f"{quality:.1f}",
            str(model.memory_about_mib),
            str(model.disk_mb),
            model.languages or _ABSENT,
            Text(model.licence.name, style="" if model.licence.free else "yellow"),
            *([", ".join(_revisions(here, model.name))] if len(table.columns) > 8 else []),
        )
    for cached in others:
        size = f"{cached.manifest.size / 1e6:.0f}"
        places = ", ".join(cached.revisions)
        table.add_row(Text(str(cached.model), style="green"), *[_ABSENT] * 4, size, _ABSENT, _ABSENT, places)
    return table


def _revisions(here: "list[Cached]", name: str) -> list[str]:
    """The revisions of a model in the cache; those of another organisation with its name."""
    return [
        revision if cached.model.organisation == "immich-app" else f"{cached.model.organisation}: {revision}"
        for cached in here
        if cached.model.name == name
        for revision in cached.revisions
    ]
