"""`triptych search`: the photos that fit a text best: from the library, or of any folder, of which then nothing is kept."""

import heapq
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from triptych.cli import library_options, options
from triptych.cli.console import CommandError, out, skipped
from triptych.cli.grouped import grouped
from triptych.cli.photos import embedded, photos_in
from triptych.client import Client
from triptych.results import Embedding


@grouped
def search(
    text: Annotated[str, typer.Argument(help="What to look for.", show_default=False)],
    folder: Annotated[Path | None, typer.Argument(help="Where to look, folders below included.", show_default="the whole library")] = None,
    filters: library_options.Filters = library_options.FILTERS,
    limit: library_options.Limit = 10,
    as_json: library_options.AsJson = False,
    sheet: library_options.Sheet = None,
    language: Annotated[str | None, typer.Option(help="Language of the text, for models that take one.")] = None,
    library: library_options.File = None,
    concurrency: options.Concurrency = options.CONCURRENCY,
    server: options.Server = options.SERVER,
) -> None:
    """Find the photos that fit a text best; scores are cosines.

    The library answers, for the whole of it or for a folder that was indexed. The photos of a folder that was not are embedded now,
    which takes its time, and nothing is kept; people and dates are known of indexed photos only.
    """
    place = folder or filters.below
    if folder is not None and filters.below is not None and folder != filters.below:
        raise CommandError(f"{folder} and --folder {filters.below} are two folders; name one")
    kept = place is None or _indexed(library, place)
    if not kept and (filters.person or filters.since or filters.until or sheet is not None):
        raise CommandError(
            f"{place} is not in the library, which --person, --since, --until and --sheet need; index it: triptych index {place}"
        )
    photos = [] if kept or place is None else photos_in(place)
    with server.client() as client:
        if not kept:
            _search_now(client, client.embed_text(text, language=language), photos, limit, as_json, concurrency)
            return
        with library_options.opened(library) as opened:
            if not len(opened):
                raise CommandError("the library is empty; name a folder, or index one: triptych index FOLDER")
            only = replace(filters, below=place).only()
            hits = opened.search(text, client, only=only, limit=limit, language=language)
    library_options.show(text, hits, as_json, sheet)


def _indexed(library: Path | None, folder: Path) -> bool:
    from triptych.library import LibraryIncomplete, default_file

    try:
        file = library or default_file()
    except LibraryIncomplete:  # nothing can have been indexed
        return False
    if not file.is_file():
        return False
    with library_options.opened(file) as opened:
        return opened.covers(folder)


def _search_now(client: Client, query: Embedding, photos: list[Path], limit: int, as_json: bool, concurrency: int) -> None:
    failures: list[tuple[str, str]] = []
    best = heapq.nlargest(limit, _scores(client, query, photos, concurrency, failures))
    skipped(failures)
    if not best:
        raise CommandError(f"none of the {len(photos)} photos could be embedded")
    if as_json:
        typer.echo(json.dumps([{"rank": n, "score": score, "photo": str(path)} for n, (score, path) in enumerate(best, 1)], indent=2))
    else:
        out().print(_table(best))


def _scores(
    client: Client, query: Embedding, photos: list[Path], concurrency: int, failures: list[tuple[str, str]]
) -> Iterator[tuple[float, Path]]:
    for photo, embedding in embedded(client, photos, concurrency, failures):
        yield float(embedding @ query), photo


def _table(best: list[tuple[float, Path]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("rank", justify="right")
    table.add_column("score", justify="right")
    table.add_column("photo", overflow="fold")
    for rank, (score, path) in enumerate(best, 1):
        table.add_row(str(rank), f"{score:.3f}", Text(str(path)))
    return table
