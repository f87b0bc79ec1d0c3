"""`triptych similar`: photos that look like one, or like each other."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triptych.cli import library_options, options
from triptych.cli.console import CommandError, out
from triptych.cli.grouped import grouped

if TYPE_CHECKING:
    from triptych.library import Library


@grouped
def similar(
    photo: Annotated[Path | None, typer.Argument(help="A photo, of the library or not.", show_default=False)] = None,
    duplicates: Annotated[bool, typer.Option("--duplicates", help="Show groups of photos that look the same instead.")] = False,
    threshold: Annotated[float, typer.Option(min=0.5, max=1, help="For --duplicates: the cosine from which on two are the same.")] = 0.98,
    filters: library_options.Filters = library_options.FILTERS,
    limit: library_options.Limit = 10,
    as_json: library_options.AsJson = False,
    sheet: library_options.Sheet = None,
    library: library_options.File = None,
    server: options.Server = options.SERVER,
) -> None:
    """Find photos that look like one. Only for a file that is not in the library the server is asked."""
    if (photo is None) != duplicates:
        raise CommandError("name a photo, or give --duplicates; one of the two")
    with library_options.opened(library) as opened:
        if photo is None:
            _duplicates(opened, threshold, limit, as_json, sheet)
            return
        only = filters.only()
        with server.client() as client:
            hits = opened.similar(photo, client, only=only, limit=limit)
    library_options.show(f"like {photo.name}", hits, as_json, sheet)


def _duplicates(opened: "Library", threshold: float, limit: int, as_json: bool, sheet: Path | None) -> None:
    groups = opened.duplicates(threshold)
    if sheet is not None:
        library_options.draw(
            sheet, "duplicates", [(f"{len(group)} photos", [(one, one.path.name) for one in group]) for group in groups[:limit]]
        )
    if as_json:
        typer.echo(json.dumps([[str(photo.path) for photo in group] for group in groups], indent=2, ensure_ascii=False))
        return
    for group in groups[:limit]:
        out().print("\n".join(str(photo.path) for photo in group), markup=False, soft_wrap=True, end="\n\n")
    out().print(f"{len(groups)} groups" + f", {limit} shown (--limit)" * (len(groups) > limit), markup=False)
