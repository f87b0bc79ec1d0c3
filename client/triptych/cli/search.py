"""`triptych search`: the photos that fit a text best: from the library, or of any folder, of which then nothing is kept."""

import heapq
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from triptych.cli import library_options, options
from triptych.cli.console import CommandError, bar, out, skipped
from triptych.cli.photos import photos_in
from triptych.client import Client
from triptych.errors import TriptychError
from triptych.results import Embedding


def search(
    text: Annotated[str, typer.Argument(help="What to look for.", show_default=False)],
    folder: Annotated[Path | None, typer.Argument(help="Where to look, folders below included.", show_default="the whole library")] = None,
    person: library_options.Person = None,
    since: library_options.Since = None,
    until: library_options.Until = None,
    below: library_options.Folder = None,
    limit: library_options.Limit = 10,
    as_json: library_options.AsJson = False,
    sheet: library_options.Sheet = None,
    language: Annotated[str | None, typer.Option(help="Language of the text, for models that take one.")] = None,
    library: library_options.File = None,
    url: options.Url = options.URL,
    concurrency: options.Concurrency = options.CONCURRENCY,
    timeout: options.Timeout = options.TIMEOUT,
    header: options.Header = None,
    tls_root: options.TlsRoot = None,
    tls_certificate: options.TlsCertificate = None,
    tls_key: options.TlsKey = None,
) -> None:
    """Find the photos that fit a text best; scores are cosines.

    The library answers, for the whole of it or for a folder that was indexed. The photos of a folder that was not are embedded now,
    which takes its time, and nothing is kept; people and dates are known of indexed photos only.
    """
    place = folder or below
    if folder is not None and below is not None and folder != below:
        raise CommandError(f"{folder} and --folder {below} are two folders; name one")
    kept = place is None or _indexed(library, place)
    if not kept and (person or since or until or sheet is not None):
        raise CommandError(
            f"{place} is not in the library, which --person, --since, --until and --sheet need; index it: triptych index {place}"
        )
    photos = [] if kept or place is None else photos_in(place)
    with options.client(url, timeout, header, tls_root, tls_certificate, tls_key) as client:
        if not kept:
            _search_now(client, client.embed_text(text, language=language), photos, limit, as_json, concurrency)
            return
        with library_options.opened(library) as opened:
            if not len(opened):
                raise CommandError("the library is empty; name a folder, or index one: triptych index FOLDER")
            only = library_options.only(person, since, until, place)
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
    with bar("embedding", len(photos)) as progress:

        def skip(photo: Path, error: TriptychError) -> None:
            failures.append((str(photo), str(error)))
            progress.advance()

        for photo, embedding in client.embed_images(photos, concurrency=concurrency, on_error=skip):
            progress.advance()
            yield float(embedding @ query), photo


def _table(best: list[tuple[float, Path]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("rank", justify="right")
    table.add_column("score", justify="right")
    table.add_column("photo", overflow="fold")
    for rank, (score, path) in enumerate(best, 1):
        table.add_row(str(rank), f"{score:.3f}", Text(str(path)))
    return table
