"""`triptych models pull`: a model from a hub into the cache, with a bar while it comes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from triptych.cli.console import err
from triptych.cli.models import options
from triptych.cli.server_side import server_side


def pull(
    name: options.Name,
    revision: options.Revision = options.REVISION,
    organisation: options.Organisation = None,
    cache: options.CacheFolder = None,
    again: Annotated[bool, typer.Option("--again", help="Read what is here, and fetch the files that are damaged.")] = False,
) -> None:
    """Fetch a model from a Hugging Face hub. HF_ENDPOINT names a mirror, HF_TOKEN a token, HF_HUB_OFFLINE=1 forbids the network."""
    with server_side():
        from triptych_server.models.cache import Cache
        from triptych_server.models.hub import Hub
        from triptych_server.models.model_name import model_name
        from triptych_server.models.pull import pull as pull_model

        model = model_name(name, organisation)
        if model.known and not model.known.licence.free:
            err().print(f"licence of the weights: {model.known.licence}", markup=False, soft_wrap=True)
        with progress_bar(str(model)) as watcher:
            pulled = pull_model(
                model, cache=Cache.locate(cache), hub=Hub.from_environment(), revision=revision, again=again, watcher=watcher
            )
    manifest, state = pulled.cached.manifest, "was here already" if pulled.was_there else "pulled and checked"
    typer.echo(f"{model} at {revision} ({manifest.commit[:12]}, {manifest.size / 1e6:,.1f} MB) {state}: {pulled.cached.folder}")


class _Watcher:
    """Moves a bar by the bytes that come."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def begin(self, total: int, there: int) -> None:
        self._progress.update(self._task, total=total, completed=there)

    def advance(self, size: int) -> None:
        self._progress.advance(self._task, size)

    def say(self, sentence: str) -> None:
        err().print(sentence, markup=False, soft_wrap=True)


@contextmanager
def progress_bar(title: str) -> Iterator[_Watcher]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err(), transient=True, disable=not sys.stderr.isatty()) as progress:
        yield _Watcher(progress, progress.add_task(title, total=None))
