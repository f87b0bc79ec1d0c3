"""Options of the commands that have a library, and what they print: hits as a table, as JSON or on a sheet."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from triptych.cli.console import out

if TYPE_CHECKING:  # the library is imported by those who use it, so that `triptych --help` stays quick
    from triptych.library import Hit, Library, Only, Photo

File = Annotated[
    Path | None, typer.Option("--library", envvar="TRIPTYCH_LIBRARY", help="The library's file.", show_default="one for each user")
]
Person = Annotated[list[str] | None, typer.Option("--person", help="Only photos with this person, by name or id; may be repeated.")]
Since = Annotated[str | None, typer.Option("--since", help="Only photos taken then or later: 2024, 2024-05 or 2024-05-31.")]
Until = Annotated[str | None, typer.Option("--until", help="Only photos taken then or earlier, that year, month or day included.")]
Folder = Annotated[Path | None, typer.Option("--folder", help="Only photos below this folder.")]
Limit = Annotated[int, typer.Option("--limit", "--top", min=1, help="How many photos to show.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Sheet = Annotated[Path | None, typer.Option("--sheet", help="Write a contact sheet of what was found to this file (JPEG or PNG).")]


def opened(file: Path | None, *, make: bool = False) -> "Library":
    """The library that a command was asked to use. Raises LibraryError where there is none, unless the command is to `make` it."""
    from triptych.library import Library

    return Library.open(file, make=make)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which photos are looked at."""

    person: Person = None
    since: Since = None
    until: Until = None
    below: Folder = None

    def only(self) -> "Only":
        """For the library; InvalidInput for what is no date."""
        from triptych.library import Only, days

        first = days(self.since)[0] if self.since else None
        last = days(self.until)[1] if self.until else None
        return Only(tuple(self.person or ()), first, last, self.below.resolve() if self.below else None)


FILTERS = Filters()


def show(title: str, hits: "Sequence[Hit]", as_json: bool, sheet: Path | None) -> None:
    """Print hits, best first, and draw their sheet."""
    if sheet is not None:
        draw(sheet, title, [("", [(hit.photo, f"{hit.score:.3f}") for hit in hits])])
    if as_json:
        rows = [
            {"rank": rank, "score": hit.score, "photo": str(hit.photo.path), "id": hit.photo.id, "taken": hit.photo.taken}
            for rank, hit in enumerate(hits, 1)
        ]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("rank", "score"):
        table.add_column(heading, justify="right")
    table.add_column("taken", no_wrap=True)
    table.add_column("photo", overflow="fold")
    for rank, hit in enumerate(hits, 1):
        table.add_row(str(rank), f"{hit.score:.3f}", hit.photo.taken[:10], Text(str(hit.photo.path)))
    out().print(table)


def draw(sheet: Path, title: str, rows: "Sequence[tuple[str, Sequence[tuple[Photo, str]]]]") -> None:
    """Write a contact sheet with a row of photos for each label."""
    from triptych.cli import sheet as drawing

    drawing.save(drawing.contact_sheet(title, [(label, [(one.path, caption) for one, caption in photos]) for label, photos in rows]), sheet)
