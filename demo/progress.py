"""The progress bar of the demo's steps, with the pictures per second."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

_WIDTH = 9  # of the longest step's name, so that the bars stand in line


class _Rate(ProgressColumn):
    """Pictures per second so far."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.0f}/s", style="cyan")


def progress(console: Console) -> Progress:
    """A bar for one step; the step's name is the task's description."""
    description = TextColumn(f"{{task.description:<{_WIDTH}}}")
    return Progress(description, BarColumn(), MofNCompleteColumn(), _Rate(), console=console)
