"""`triptych embed`: photos or texts -> embeddings as JSON lines or a NumPy file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from triptych.cli import options
from triptych.cli.console import CommandError, fail, skipped
from triptych.cli.grouped import grouped
from triptych.cli.photos import embedded, photos_of
from triptych.cli.rows import Row, check, write
from triptych.client import Client


@grouped
def embed(
    photos: Annotated[list[Path] | None, typer.Argument(help="Files, or folders to look through.", show_default=False)] = None,
    text: Annotated[list[str] | None, typer.Option("--text", help="Embed this text instead; may be repeated.")] = None,
    language: Annotated[str | None, typer.Option(help="Language of the texts, for models that take one.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="FILE.jsonl, or FILE.npy with the names of its rows in FILE.npy.txt.", show_default="stdout"),
    ] = None,
    concurrency: options.Concurrency = options.CONCURRENCY,
    server: options.Server = options.SERVER,
) -> None:
    """Embed photos (or texts). What cannot be read is skipped, listed at the end, and makes the exit code 1."""
    if bool(photos) == bool(text):
        raise CommandError("name photos (or folders), or give --text; one of the two")
    check(output)
    failures: list[tuple[str, str]] = []
    with server.client() as client:
        write(_texts(client, text, language) if text else _photos(client, photos_of(photos or []), concurrency, failures), output)
    if failures:
        skipped(failures)
        raise typer.Exit(fail(f"{len(failures)} photo{'s' * (len(failures) != 1)} could not be embedded"))


def _texts(client: Client, texts: list[str], language: str | None) -> Iterator[Row]:
    yield from zip(texts, client.embed_text(texts, language=language), strict=True)


def _photos(client: Client, photos: list[Path], concurrency: int, failures: list[tuple[str, str]]) -> Iterator[Row]:
    for photo, embedding in embedded(client, photos, concurrency, failures):
        yield str(photo), embedding
