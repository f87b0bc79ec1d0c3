"""`triptych models convert`: make the networks in place ready for an NPU or a Mali GPU."""

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import err
from triptych.cli.models import options
from triptych.cli.server_side import server_side


def convert(
    target: Annotated[str, typer.Option("--target", help="rk3566, rk3568, rk3576, rk3588, or armnn for Mali.", show_default=False)],
    models: Annotated[list[str] | None, typer.Argument(help="Networks; all that the target runs by default.", show_default=False)] = None,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Folder for the converter's environment.", show_default="~/.cache/triptych/convert"),
    ] = None,
    repository: options.RepositoryFolder = None,
) -> None:
    """Convert networks for an accelerator that takes no ONNX, on any x86-64 or Arm machine, and compare the result with the original;
    where they do not agree, nothing is replaced. Copy the networks' folders to the board then."""
    with server_side():
        from triptych_server.models.convert.convert import convert, networks_for
        from triptych_server.models.convert.targets import converter_for
        from triptych_server.repository import Repository

        place = Repository.locate(repository)
        converter = converter_for(target, _say, cache=cache)
        for network in networks_for(place, converter, models or []):
            report = convert(place, network, converter, _say)
            typer.echo(f"{network}: {report.agreement}, {report.megabytes:.1f} MB in {report.folder}, {report.seconds:.0f} s")


def _say(sentence: str) -> None:
    err().print(sentence, markup=False, soft_wrap=True)
