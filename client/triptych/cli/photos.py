"""Photos in folders: what is embedded when a folder is named, and how."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from triptych.cli.console import CommandError, bar
from triptych.client import Client
from triptych.errors import TriptychError
from triptych.results import Embedding

EXTENSIONS = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})


def photos_in(folder: Path) -> list[Path]:
    """Every photo below a folder, by its extension, in order of name; hidden files and folders are left out."""
    if not folder.is_dir():
        raise CommandError(f"{folder} is no folder")
    photos = sorted(path for path in _visible(folder) if path.suffix.lower() in EXTENSIONS and path.is_file())
    if not photos:
        raise CommandError(f"there is no photo in {folder}; looked for {', '.join(sorted(EXTENSIONS))}")
    return photos


def _visible(folder: Path) -> Iterator[Path]:
    """All files but hidden ones; what disappears meanwhile, or may not be read, is passed over."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place) / name for name in names if not name.startswith("."))


def photos_of(paths: Iterable[Path]) -> list[Path]:
    """Files as they are named, and the photos of folders, in the order given."""
    return [photo for path in paths for photo in (photos_in(path) if path.is_dir() else [path])]


def embedded(client: Client, photos: list[Path], concurrency: int, failures: list[tuple[str, str]]) -> Iterator[tuple[Path, Embedding]]:
    """Photos with their embeddings as they come, with a bar; what cannot be read is added to `failures`, with the reason."""
    with bar("embedding", len(photos)) as progress:

        def skip(photo: Path, error: TriptychError) -> None:
            failures.append((str(photo), str(error)))
            progress.advance()

        for photo, embedding in client.embed_images(photos, concurrency=concurrency, on_error=skip):
            progress.advance()
            yield photo, embedding
