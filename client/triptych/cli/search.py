"""`triptych search`: rank a folder's photos by how well they fit a text; nothing is kept."""

import heapq
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from triptych.cli import options
from triptych.cli.console import CommandError, bar, out, skipped
from triptych.cli.photos import photos_in
from triptych.client import Client
from triptych.errors import TriptychError
from triptych.results import Embedding


def search(
    text: Annotated[str, typer.Argument(help="What to look for.", show_default=False)],
    folder: Annotated[Path, typer.Argument(help="Where to look, folders below included.", show_default=False)],
    top: Annotated[int, typer.Option(min=1, help="How many photos to show.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    language: Annotated[str | None, typer.Option(help="Language of the text, for models that take one.")] = None,
    url: options.Url = options.URL,
    concurrency: options.Concurrency = options.CONCURRENCY,
    timeout: options.Timeout = options.TIMEOUT,
    header: options.Header = None,
    tls_root: options.TlsRoot = None,
    tls_certificate: options.TlsCertificate = None,
    tls_key: options.TlsKey = None,
) -> None:
    """Find the photos of a folder that fit a text best. Scores are cosines."""
    photos = photos_in(folder)
    failures: list[tuple[str, str]] = []
    with options.client(url, timeout, header, tls_root, tls_certificate, tls_key) as client:
        query = client.embed_text(text, language=language)
        best = heapq.nlargest(top, _scores(client, query, photos, concurrency, failures))
    skipped(failures)
    if not best:
        raise CommandError(f"none of the {len(photos)} photos in {folder} could be embedded")
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
