"""`triptych bench`: measure a server, compare two reports, find the bottleneck; one file per command, put together here."""

from typing import Any

import typer
from typer.core import TyperGroup

from triptych.cli import bench_compare, bench_diagnose, bench_run

DEFAULT = "run"


class DefaultGroup(TyperGroup):
    """`triptych bench search_image --seconds 2` is `triptych bench run search_image --seconds 2`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command in where none is named."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


def build() -> typer.Typer:
    """The group of commands."""
    app = typer.Typer(name="bench", cls=DefaultGroup, help="Measure: how fast, where the limit is, what got worse.")
    app.command()(bench_run.run)
    app.command()(bench_compare.compare)
    app.command()(bench_diagnose.diagnose)
    return app
