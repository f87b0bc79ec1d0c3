"""`triptych embed`: photos or texts -> embeddings as JSON lines or a NumPy file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from triptych.cli import options
from triptych.cli.console import CommandError, bar, fail, skipped
from triptych.cli.photos import photos_of
from triptych.cli.rows import Row, check, write
from triptych.client import Client
from triptych.errors import TriptychError


def embed(
    photos: Annotated[list[Path] | None, typer.Argument(help="Files, or folders to look through.", show_default=False)] = None,
    text: Annotated[list[str] | None, typer.Option("--text", help="Embed this text instead; may be repeated.")] = None,
    language: Annotated[str | None, typer.Option(help="Language of the texts, for models that take one.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="FILE.jsonl, or FILE.npy with the names of its rows in FILE.npy.txt.", show_default="stdout"),
    ] = None,
    url: options.Url = options.URL,
    concurrency: options.Concurrency = options.CONCURRENCY,
    timeout: options.Timeout = options.TIMEOUT,
    header: options.Header = None,
    tls_root: options.TlsRoot = None,
    tls_certificate: options.TlsCertificate = None,
    tls_key: options.TlsKey = None,
) -> None:
    """Embed photos (or texts). What cannot be read is skipped, listed at the end, and makes the exit code 1."""
    if bool(photos) == bool(text):
        raise CommandError("name photos (or folders), or give --text; one of the two")
    check(output)
    failures: list[tuple[str, str]] = []
    with options.client(url, timeout, header, tls_root, tls_certificate, tls_key) as client:
        write(_texts(client, text, language) if text else _photos(client, photos_of(photos or []), concurrency, failures), output)
    if failures:
        skipped(failures)
        raise typer.Exit(fail(f"{len(failures)} photo{'s' * (len(failures) != 1)} could not be embedded"))


def _texts(client: Client, texts: list[str], language: str | None) -> Iterator[Row]:
    yield from zip(texts, client.embed_text(texts, language=language), strict=True)


def _photos(client: Client, photos: list[Path], concurrency: int, failures: list[tuple[str, str]]) -> Iterator[Row]:
    with bar("embedding", len(photos)) as progress:

        def skip(photo: Path, error: TriptychError) -> None:
            failures.append((str(photo), str(error)))
            progress.advance()

        for photo, embedding in client.embed_images(photos, concurrency=concurrency, on_error=skip):
            progress.advance()
            yield str(photo), embedding
