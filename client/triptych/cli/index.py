"""`triptych index`: bring the library up to date with folders of photos."""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from triptych.cli import library_options, options
from triptych.cli.console import CommandError, err, fail, out, skipped
from triptych.cli.grouped import grouped

if TYPE_CHECKING:
    from triptych.library import IndexReport, Library, Progress


@grouped
def index(
    folders: Annotated[list[Path] | None, typer.Argument(help="Folders of photos.", show_default="all that were indexed before")] = None,
    library: library_options.File = None,
    anew: Annotated[bool, typer.Option("--anew", help="Make all embeddings again, for another model; people keep their names.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try photos again that could not be indexed and have not changed.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Remove the folders' photos from the library; the files stay.")] = False,
    as_json: library_options.AsJson = False,
    concurrency: options.Concurrency = options.CONCURRENCY,
    server: options.Server = options.SERVER,
) -> None:
    """Make photos searchable: what is new or changed is sent to the server, what moved is followed, what is gone is removed.

    Ctrl-C loses nothing: the next run goes on. Photos that cannot be read are listed, and make the exit code 1.
    """
    with library_options.opened(library, make=not forget) as opened:
        if forget:
            if not folders:
                raise CommandError("name the folders to forget")
            out().print(f"{sum(map(opened.forget, folders))} photos removed from the library")
            return
        with server.client() as client:
            if anew:
                client.embed_text("is the server there?")  # before anything is dropped
                opened.begin_anew()
            with _stopped() as stop, _shown() as progress:
                report = opened.index(folders or [], client, concurrency=concurrency, retry=retry, progress=progress, stop=stop)
        _tell(report, opened, as_json)
        if report.left:
            fail(f"stopped with {report.left} photos to go; the library has {len(opened)}, and the next run goes on")
            raise typer.Exit(130)
    if report.failed:
        raise typer.Exit(fail(f"{len(report.failed)} photo{'s' * (len(report.failed) != 1)} could not be indexed"))


@contextmanager
def _stopped() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets, so that requests end in order; the second one interrupts."""
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.default_int_handler)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _shown() -> "Iterator[Callable[[Progress], None]]":
    """A bar with rate and time left, on a terminal."""
    from rich import progress as rich
    from rich.text import Text

    class Rate(rich.ProgressColumn):
        def render(self, task: rich.Task) -> Text:
            return Text(f"{task.speed:.0f}/s" if task.speed else "")

    columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), rich.MofNCompleteColumn(), Rate(), rich.TimeRemainingColumn())
    with rich.Progress(*columns, console=err(), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("looking through the folders", total=None)

        def advance(progress: "Progress") -> None:
            title = f"indexing, {progress.failed} failed" if progress.failed else "indexing"
            bar.update(task, description=title, completed=progress.done, total=progress.total)

        yield advance


def _tell(report: "IndexReport", library: "Library", as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**asdict(report), "photos": len(library)}, ensure_ascii=False))
        return
    skipped(list(report.failed))
    for folder in report.unread:
        err().print(f"{folder} could not be looked into; what the library has of it stays", markup=False, soft_wrap=True)
    done = [f"{count} {what}" for what in ("added", "changed", "moved", "copied", "removed") if (count := getattr(report, what))]
    if report.known_bad:
        done.append(f"{report.known_bad} not tried again (--retry does)")
    if report.new_people:
        done.append(f"{report.new_people} new people")
    out().print(f"{', '.join(done) or 'nothing new'}; {len(library)} photos in {library.file}", markup=False, soft_wrap=True)
