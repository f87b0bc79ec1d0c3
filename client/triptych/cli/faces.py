"""`triptych faces`: photos -> a table (or JSON lines) of the faces on them, and pictures with the faces drawn in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from triptych.cli import drawing, options
from triptych.cli.console import CommandError, bar, fail, out, skipped
from triptych.cli.grouped import grouped
from triptych.cli.photos import photos_of
from triptych.cli.rows import numbers
from triptych.client import Client
from triptych.errors import TriptychError
from triptych.face import Face
from triptych.results import Found

NONE = "-"


@grouped
def faces(
    photos: Annotated[list[Path], typer.Argument(help="Files, or folders to look through.", show_default=False)],
    folder: Annotated[
        Path | None, typer.Option("--draw", help="Write each photo, as a JPEG with its faces drawn in, to this folder.")
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(help="Leave out faces that are less sure, 0 to 1.", show_default="the server's")
    ] = None,
    max_faces: Annotated[int | None, typer.Option(help="Only the surest of a photo; 0: all.", show_default="the server's")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON line per photo, embeddings included.")] = False,
    concurrency: options.Concurrency = options.CONCURRENCY,
    server: options.Server = options.SERVER,
) -> None:
    """Find the faces on photos. What cannot be read is skipped, listed at the end, and makes the exit code 1."""
    files = photos_of(photos)
    drawings = _drawings(files, folder)
    failures: list[tuple[str, str]] = []
    table = _table()
    with server.client() as client:
        for photo, found in _found(client, files, min_score, max_faces, concurrency, failures):
            if as_json:
                typer.echo(_json_line(photo, found))
            else:
                _add_rows(table, photo, found)
            if photo in drawings:
                _draw(photo, found, drawings[photo], failures)
    if table.rows:
        out().print(table)
    if failures:
        skipped(failures)
        raise typer.Exit(fail(f"{len(failures)} photo{'s' * (len(failures) != 1)} could not be searched for faces or drawn on"))


def _found(
    client: Client, photos: list[Path], min_score: float | None, max_faces: int | None, concurrency: int, failures: list[tuple[str, str]]
) -> Iterator[Found[Path]]:
    with bar("finding faces", len(photos)) as progress:

        def skip(photo: Path, error: TriptychError) -> None:
            failures.append((str(photo), str(error)))
            progress.advance()

        for found in client.faces_in_images(photos, min_score=min_score, max_faces=max_faces, concurrency=concurrency, on_error=skip):
            progress.advance()
            yield found


def _drawings(photos: list[Path], folder: Path | None) -> dict[Path, Path]:
    """Where each photo's drawing goes: its own name, numbered where several photos share one."""
    if folder is None:
        return {}
    for photo in photos:
        if photo.resolve().is_relative_to(folder.resolve()):
            raise CommandError(f"--draw {folder}: {photo} lies in it and might be overwritten; name another folder")
    taken: set[str] = set()
    drawings: dict[Path, Path] = {}
    for photo in dict.fromkeys(photos):
        name, count = photo.stem, 1
        while name.casefold() in taken:
            count += 1
            name = f"{photo.stem}-{count}"
        taken.add(name.casefold())
        drawings[photo] = folder / f"{name}.jpg"
    return drawings


def _draw(photo: Path, faces: list[Face], file: Path, failures: list[tuple[str, str]]) -> None:
    try:
        image = drawing.opened(photo)
    except CommandError as error:
        failures.append((str(photo), str(error)))
        return
    drawing.draw(image, faces)
    try:
        drawing.save(image, file)
    except OSError as error:  # what was found is still to be told
        failures.append((str(photo), f"{file} cannot be written: {error.strerror or error}"))


def _json_line(photo: Path, faces: list[Face]) -> str:
    rows = [
        {
            "box": numbers(face.box),
            "score": numbers([face.score])[0],
            "landmarks": [numbers(point) for point in face.landmarks],
            "embedding": numbers(face.embedding),
        }
        for face in faces
    ]
    return json.dumps({"photo": str(photo), "faces": rows}, ensure_ascii=False)


def _table() -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("photo", overflow="fold")
    for title in ("face", "score", "box", "size"):
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _add_rows(table: Table, photo: Path, faces: list[Face]) -> None:
    if not faces:
        table.add_row(Text(str(photo)), NONE, NONE, NONE, NONE)
    for number, face in enumerate(faces, 1):
        box = " ".join(f"{value:.0f}" for value in face.box)
        table.add_row(Text(str(photo)), str(number), f"{face.score:.2f}", box, f"{face.width:.0f} x {face.height:.0f}")
