"""`python -m demo.run` (`make demo`): starts Triton, embeds an album through it, searches, and draws a contact sheet."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Table
from rich.text import Text

from demo.album import COUNT, FOLDER, draw_album
from demo.contact_sheet import PER_ROW, Hit, Row, contact_sheet
from demo.models import ensure_demo_models
from triptych import Client, TriptychError
from triptych.results import Embedded
from triptych_server.engine import Engine, EngineOptions
from triptych_server.errors import TriptychServerError
from triptych_server.repository import Repository

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "demo" / "out"
QUERIES = (
    "a boat on the lake at sunset",
    "red balloons at the beach",
    "a cat in the snow",
    "fish under water",
    "a house in the mountains at night",
    "two birds over a lake",
    "a lamp in the living room",
)
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True)
class Album:
    """Pictures and their embeddings f32 [n, D], and what was skipped with the reason why."""

    paths: tuple[Path, ...]
    embeddings: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    skipped: tuple[tuple[Path, str], ...]


class _Rate(ProgressColumn):
    """Pictures per second so far."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.0f}/s", style="cyan")


def embed_album(client: Client, paths: Sequence[Path], console: Console) -> Album:
    """Send every picture to `search_image`, sixteen at a time; unreadable ones are noted and left out."""
    skipped: list[tuple[Path, str]] = []
    embedded: list[Embedded[Path]] = []
    with _progress(console) as progress:
        bar = progress.add_task("embedding", total=len(paths))

        def skip(path: Path, error: TriptychError) -> None:
            skipped.append((path, str(error)))
            progress.advance(bar)

        for item in client.embed_images(paths, concurrency=16, on_error=skip):
            embedded.append(item)
            progress.advance(bar)
    if not embedded:
        raise TriptychError(f"none of the {len(paths)} pictures could be embedded; the first: {skipped[0][1]}")
    return Album(tuple(item.image for item in embedded), np.stack([item.embedding for item in embedded]), tuple(skipped))


def search(client: Client, album: Album, queries: Sequence[str]) -> list[Row]:
    """The best pictures of the album for each query, by cosine similarity."""
    rows = []
    for query, scores in zip(queries, client.embed_text(list(queries)) @ album.embeddings.T, strict=True):
        best = np.argsort(-scores)[:PER_ROW]
        rows.append(Row(query, tuple(Hit(album.paths[i], float(scores[i])) for i in best)))
    return rows


def run(photos: Path | None, queries: Sequence[str], out: Path, profile: str, console: Console) -> Path:
    """The whole demo; returns the contact sheet's path. Raises TriptychError or TriptychServerError."""
    repository = Repository.locate(ROOT)
    with console.status("putting the models in place"):
        outcome = ensure_demo_models(repository, ROOT / ".cache" / "demo" / "served.json")
    if outcome == "another model":
        console.print("Searching with the model that is in place, not with the demo's.")
    paths = _own(photos) if photos is not None else _drawn(console)
    options = EngineOptions(repository, profile=profile, http_port=0, grpc_port=0, metrics_port=0)
    with ExitStack() as stack:
        with console.status("starting Triton"):
            engine = stack.enter_context(Engine(options))
        client = stack.enter_context(Client(engine.grpc_url))
        console.print(f"Triton answers on {engine.grpc_url}, profile {options.profile}.")
        album = embed_album(client, paths, console)
        rows = search(client, album, queries)
    for path, reason in album.skipped:
        console.print(Text(f"skipped {path.name}: {reason}", style="yellow"))
    console.print(_table(rows))
    out.mkdir(parents=True, exist_ok=True)
    sheet = out / "contact_sheet.png"
    contact_sheet(rows, "Triptych", f"{len(album.paths)} pictures, profile {options.profile}").save(sheet)
    console.print(Text(f"Contact sheet: {sheet}"))
    if outcome == "another model":
        return sheet
    console.print(
        "The demo models only know scenes such as those drawn here."
        if photos is not None
        else "make demo PHOTOS=<folder> takes your own pictures, but the demo models only know scenes such as those drawn here."
    )
    return sheet


def _own(folder: Path) -> list[Path]:
    folder = folder.expanduser()
    if not folder.is_dir():
        raise TriptychError(f"{folder} is no folder; PHOTOS names a folder of pictures")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    if not paths:
        raise TriptychError(f"no pictures in {folder}; looked for {', '.join(sorted(_SUFFIXES))}")
    return paths


def _drawn(console: Console) -> list[Path]:
    with _progress(console) as progress:
        return list(progress.track(draw_album(FOLDER), total=COUNT, description="drawing  "))


def _table(rows: Sequence[Row]) -> Table:
    table = Table("query", "rank", "picture", "score", title="Search")
    for row in rows:
        for rank, hit in enumerate(row.hits[:3], start=1):
            last = rank == min(3, len(row.hits))
            query = row.query if rank == 1 else ""
            table.add_row(Text(query), str(rank), Text(hit.path.name), f"{hit.score:.3f}", end_section=last)
    return table


def _progress(console: Console) -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), console=console)


def main() -> int:
    """The command: 0, or 1 with a sentence on what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m demo.run", description=__doc__)
    parser.add_argument("--photos", type=Path, help="a folder of your own pictures instead of the drawn album")
    parser.add_argument("--queries", nargs="+", default=QUERIES, metavar="TEXT", help="what to search for")
    parser.add_argument("--out", type=Path, default=OUT, help="where the contact sheet goes")
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
