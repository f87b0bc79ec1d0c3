"""`python -m demo.run` (`make demo`): starts Triton, sends an album through it, searches it, and shows who is on it, on two sheets."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.text import Text

from demo.album import COUNT, FOLDER, draw_album
from demo.contact_sheet import contact_sheet
from demo.faces.album import COUNT as PEOPLE_COUNT
from demo.faces.album import FOLDER as PEOPLE_FOLDER
from demo.faces.album import draw_people_album
from demo.faces.people import People, people_on, people_table, write_people
from demo.faces.sheet import people_sheet
from demo.models import CLIP, FACES, ensure_demo_model
from demo.progress import progress
from demo.search import embed_album, hits_table, search
from triptych import Client, TriptychError
from triptych_server.engine import Engine, EngineOptions
from triptych_server.errors import TriptychServerError
from triptych_server.repository import Repository

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "demo" / "out"
NOTE = ROOT / ".cache" / "demo" / "imported.json"
QUERIES = (
    "a boat on the lake at sunset",
    "red balloons at the beach",
    "a cat in the snow",
    "fish under water",
    "a house in the mountains at night",
    "two birds over a lake",
    "a lamp in the living room",
)
MOST_PEOPLE = 20
"""Whoever was met less often than so many others is in neither the table nor the sheet."""
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})


def run(photos: Path | None, queries: Sequence[str], out: Path, profile: str, console: Console) -> None:
    """The whole demo. Raises TriptychError or TriptychServerError."""
    repository = Repository.locate(ROOT)
    with console.status("putting the models in place"):
        own = [model for model in (CLIP, FACES) if ensure_demo_model(model, repository, NOTE) == "another model"]
    for model in own:
        console.print(f"The demo's model for {model.purpose} is not used: another one is in place.")
    searched, more = (_own(photos), []) if photos is not None else _drawn(console)
    options = EngineOptions(repository, profile=profile, http_port=0, grpc_port=0, metrics_port=0)
    with ExitStack() as stack:
        with console.status("starting Triton"):
            engine = stack.enter_context(Engine(options))
        client = stack.enter_context(Client(engine.grpc_url))
        console.print(f"Triton answers on {engine.grpc_url}, profile {options.profile}.")
        with progress(console) as bar:
            step = bar.add_task("embedding", total=len(searched))
            album = embed_album(client, searched, lambda: bar.advance(step))
        with progress(console) as bar:
            step = bar.add_task("faces", total=len(album.paths) + len(more))
            people = people_on(client, [*album.paths, *more], lambda: bar.advance(step))
        rows = search(client, album, queries)
    for path, reason in album.skipped:
        console.print(Text(f"skipped {path.name}: {reason}", style="yellow"))
    out.mkdir(parents=True, exist_ok=True)
    console.print(hits_table(rows))
    sheet = out / "contact_sheet.png"
    contact_sheet(rows, "Triptych", f"{len(album.paths)} pictures, profile {options.profile}").save(sheet)
    console.print(Text(f"Contact sheet: {sheet}"))
    _show_people(people, len(album.paths) + len(more), out, console)
    known = " and ".join(model.knows for model in (CLIP, FACES) if model not in own)
    if known and photos is not None:
        console.print(f"The demo's models know nothing but {known}.")
    elif known:
        console.print(f"make demo PHOTOS=<folder> takes your own pictures, but the demo's models know nothing but {known}.")
    folders = (FOLDER, PEOPLE_FOLDER) if photos is None else (photos,)
    console.print(
        f"To look at all of it, search it and name the people in a browser:\n  {page_command(folders, out)}", markup=False, soft_wrap=True
    )


def page_command(folders: Sequence[Path], out: Path) -> str:
    """The command that starts Triton anew, and the page over a library of `folders`."""
    here = Path.cwd()
    program, library, *photos = (
        str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
        for path in (Path(sys.executable).with_name("triptych"), out / "library.sqlite", *folders)
    )
    return shlex.join([program, "ui", "--serve", "--library", library, *photos])


def _show_people(people: People, pictures: int, out: Path, console: Console) -> None:
    write_people(people, out / "people.csv")
    sheet = out / "people.png"
    if not people.known:
        sheet.unlink(missing_ok=True)  # of another album
        console.print(f"{people.faces} faces found, nobody more than once." if people.faces else "No faces found.")
        return
    console.print(people_table(people, MOST_PEOPLE))
    if len(people.known) > MOST_PEOPLE:
        console.print(f"And {len(people.known) - MOST_PEOPLE} people who were met less often.")
    if people.strangers:
        console.print(f"Faces met only once: {len(people.strangers)}.")
    people_sheet(people.known[:MOST_PEOPLE], "People", f"{people.faces} faces on {pictures} pictures").save(sheet)
    console.print(Text(f"People: {sheet}, and as lines of CSV in people.csv"))


def _own(folder: Path) -> list[Path]:
    folder = folder.expanduser()
    if not folder.is_dir():
        raise TriptychError(f"{folder} is no folder; PHOTOS names a folder of pictures")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    if not paths:
        raise TriptychError(f"no pictures in {folder}; looked for {', '.join(sorted(_SUFFIXES))}")
    return paths


def _drawn(console: Console) -> tuple[list[Path], list[Path]]:
    """The scenes, which are searched, and the pictures of people: the demo's CLIP was trained without any and would rank them at random."""
    with progress(console) as bar:
        paths = list(
            bar.track(chain(draw_album(FOLDER), draw_people_album(PEOPLE_FOLDER)), total=COUNT + PEOPLE_COUNT, description="drawing")
        )
    return paths[:COUNT], paths[COUNT:]


def main() -> int:
    """The command: 0, or 1 with a sentence on what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m demo.run", description=__doc__)
    parser.add_argument("--photos", type=Path, help="a folder of your own pictures instead of the drawn album")
    parser.add_argument("--queries", nargs="+", default=QUERIES, metavar="TEXT", help="what to search for")
    parser.add_argument("--out", type=Path, default=OUT, help="where the sheets go")
    parser.add_argument("--profile", default="auto", help="auto, cpu or openvino")
    options = parser.parse_args()
    console = Console()
    for number in (signal.SIGTERM, signal.SIGHUP):  # stop Triton as Ctrl-C does
        signal.signal(number, signal.default_int_handler)
    try:
        run(options.photos, options.queries, options.out, options.profile, console)
    except (TriptychError, TriptychServerError) as error:
        Console(stderr=True).print(Text(str(error), style="red"))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
