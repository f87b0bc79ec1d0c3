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
    note = f"quality: recall of searches in {language_name}; of faces, InsightFace's MR-ALL. Memory and disk are about, in f32"
    err().print(note, style="dim", soft_wrap=True)


def _table(models: "list[CatalogueModel]", others: "list[Cached]", here: "list[Cached]", language: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    for title in ("dim", "px", "quality %", "memory MiB", "disk MB"):
        table.add_column(title, justify="right")
    for title in ("languages", "licence", "installed"):
        table.add_column(title, overflow="fold")
    for model in models:
        quality = model.quality(language)
        revisions = _revisions(here, model.name)
        table.add_row(
            Text(model.name, style="green" if revisions else ""),
            str(model.dim),
            str(model.size),
            _ABSENT if quality is None else f"{quality:.1f}",
            f"{model.memory_about_mib:,}",
            f"{model.disk_mb:,}",
            model.languages or _ABSENT,
            Text(model.licence.name, style="" if model.licence.free else "yellow"),
            ", ".join(revisions),
        )
    for cached in others:
        size = f"{cached.manifest.size / 1e6:,.0f}"
        table.add_row(
            Text(str(cached.model), style="green"),
            *[_ABSENT] * 4,
            size,
            _ABSENT,
            _ABSENT,
            ", ".join(_revisions([cached], cached.model.name)),
        )
    return table


def _revisions(here: "list[Cached]", name: str) -> list[str]:
    """The revisions of a model in the cache; those of another organisation with its name."""
    return [
        revision if cached.model.organisation == "immich-app" else f"{cached.model.organisation}: {revision}"
        for cached in here
        if cached.model.name == name
        for revision in cached.revisions
    ]
