"""`triptych people`: who is on the photos of the library; to name, merge and split them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from triptych.cli import library_options
from triptych.cli.console import out

if TYPE_CHECKING:
    from triptych.library import Library, Person

Who = Annotated[str, typer.Argument(help="Name or id.", show_default=False)]
_SHOWN = 6  # faces of a person on a sheet


def build() -> typer.Typer:
    """The group of commands; without one of them, the list."""
    app = typer.Typer(name="people", help="Who is on the photos of the library: list, name, merge, split.", invoke_without_command=True)
    app.callback()(people)
    for command in (show, name, merge, split, remove):
        app.command()(command)
    return app


def people(
    context: typer.Context,
    limit: library_options.Limit = 50,
    as_json: library_options.AsJson = False,
    sheet: library_options.Sheet = None,
    library: library_options.File = None,
) -> None:
    """Who is on the photos of the library: list, name, merge, split."""
    if context.invoked_subcommand is not None:
        context.obj = library
        return
    with library_options.opened(library) as opened:
        found = opened.people.all()
        if sheet is not None:
            _sheet(opened, found[:limit], sheet)
    if as_json:
        typer.echo(json.dumps([_row(person) for person in found], indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("id", "photos", "faces"):
        table.add_column(title, justify="right")
    table.add_column("name")
    for person in found[:limit]:
        table.add_row(str(person.id), str(person.photos), str(person.faces), Text(person.name or ""))
    out().print(table)
    if len(found) > limit:
        out().print(f"{len(found) - limit} more (--limit)")


def show(
    context: typer.Context,
    who: Who,
    limit: library_options.Limit = 50,
    as_json: library_options.AsJson = False,
    sheet: library_options.Sheet = None,
) -> None:
    """One person's faces, the largest first."""
    with library_options.opened(context.obj) as opened:
        person, faces = opened.people.find(who), opened.people.faces(who, limit)
    if sheet is not None:
        from triptych.cli import sheet as drawing

        cells = [(face.photo.path, f"{face.id}  {face.photo.path.name}", face.box) for face in faces]
        drawing.save(drawing.contact_sheet(person.label, [("", cells)]), sheet)
    if as_json:
        rows = [{"face": face.id, "photo": str(face.photo.path), "box": face.box, "score": face.score} for face in faces]
        typer.echo(json.dumps({**_row(person), "found": rows}, indent=2, ensure_ascii=False))
        return
    table = Table("face", "taken", "size", "photo", box=None, pad_edge=False, header_style="bold")
    for face in faces:
        x1, y1, x2, y2 = face.box
        table.add_row(str(face.id), face.photo.taken[:10], f"{x2 - x1:.0f} x {y2 - y1:.0f}", Text(str(face.photo.path)))
    out().print(table)


def name(
    context: typer.Context, who: Who, name: Annotated[str, typer.Argument(help="'' takes the name away.", show_default=False)]
) -> None:
    """Give a person a name."""
    with library_options.opened(context.obj) as opened:
        _tell(opened.people.name(who, name))


def merge(
    context: typer.Context,
    into: Who,
    others: Annotated[list[str], typer.Argument(help="Names or ids that are the same person.", show_default=False)],
) -> None:
    """Make several one person; the first one's id stays."""
    with library_options.opened(context.obj) as opened:
        _tell(opened.people.merge(into, others))


def split(
    context: typer.Context,
    who: Who,
    face: Annotated[
        list[int] | None, typer.Option(help="Ids of the faces that are somebody else's.", show_default="the smaller of two groups")
    ] = None,
) -> None:
    """Make two of one person; they are never put together again by themselves."""
    with library_options.opened(context.obj) as opened:
        new = opened.people.split(who, face)
        _tell(opened.people.find(who) if who != str(new.id) else new)
        _tell(new)


def remove(
    context: typer.Context, face: Annotated[int, typer.Argument(help="Id of a face, as `show` lists it.", show_default=False)]
) -> None:
    """Say that a face is none of the people."""
    with library_options.opened(context.obj) as opened:
        opened.people.remove(face)


def _tell(person: "Person") -> None:
    out().print(f"{person.id}: {person.label}, {person.faces} faces on {person.photos} photos", markup=False)


def _row(person: "Person") -> dict[str, int | str | None]:
    return {"id": person.id, "name": person.name, "photos": person.photos, "faces": person.faces}


def _sheet(opened: "Library", found: "list[Person]", file: Path) -> None:
    from triptych.cli import sheet as drawing

    rows = []
    for person in found:
        faces = opened.people.faces(person.id, _SHOWN)
        label = f"{person.label}: {person.faces} faces on {person.photos} photos"
        rows.append((label, [(face.photo.path, face.photo.path.name, face.box) for face in faces]))
    drawing.save(drawing.contact_sheet("People", rows), file)
