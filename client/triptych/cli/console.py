"""What the commands print with: results on stdout, everything else on stderr, nothing decorated where nobody looks."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from triptych.errors import TriptychError

_UNBOUNDED = 1000  # columns when output goes to a file or a pipe, where cutting a path short would be wrong


class CommandError(TriptychError):
    """A command cannot do what it was asked; the text is for the user."""


def out() -> Console:
    """For results."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _UNBOUNDED)


def err() -> Console:
    """For progress, warnings and errors."""
    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _UNBOUNDED)


def fail(sentence: str) -> int:
    """Print why a command failed; returns its exit code."""
    err().print(f"triptych: {sentence}", markup=False, soft_wrap=True)
    return 1


def skipped(failures: list[tuple[str, str]]) -> None:
    """List what was left out, and why."""
    for name, reason in failures:
        err().print(f"skipped {name}: {reason}", markup=False, soft_wrap=True)


class Bar:
    """A bar that moves on by one."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self) -> None:
        self._progress.advance(self._task)


@contextmanager
def bar(title: str, total: int) -> Iterator[Bar]:
    """A progress bar on stderr while the block runs; none when stderr is not a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err(), transient=True, disable=not sys.stderr.isatty()) as progress:
        yield Bar(progress, progress.add_task(title, total=total))
