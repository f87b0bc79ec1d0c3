"""`triptych configs`: generate the networks' configs/<profile>.pbtxt, check all configs, show what a profile makes of a model."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triptych.cli.console import CommandError, out
from triptych.cli.server_side import server_side

if TYPE_CHECKING:  # the server part may not be installed
    from triptych_server.configs.difference import Difference
    from triptych_server.configs.fields import Value
    from triptych_server.configs.origins import Origin

RepositoryOption = Annotated[Path | None, typer.Option(help="Folder with model_repository, python_models, ensembles.")]
ProfileOption = Annotated[str, typer.Option(help="A hardware profile, or the name of a tuned config.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def build() -> typer.Typer:
    """The group of commands."""
    app = typer.Typer(name="configs", help="Model configs, generated from the hardware profiles.", no_args_is_help=True)
    for command in (render, check, diff, explain, use):
        app.command()(command)
    return app


def render(repository: RepositoryOption = None) -> None:
    """Write the configs that are not what config.pbtxt and the profiles make of them."""
    with server_side():
        from triptych_server.configs.profiles import write_profiles
        from triptych_server.repository import Repository

        target = Repository.locate(repository)
        written = write_profiles(target)
    for file in written:
        typer.echo(str(file.relative_to(target.root)))
    if not written:
        typer.echo("every generated config is up to date")


def use(
    profile: Annotated[str, typer.Argument(help="A hardware profile, or the name of a tuned config.")], repository: RepositoryOption = None
) -> None:
    """Let the servers that run on the repository change over to another profile; no request fails. Their next start has its own."""
    with server_side():
        from triptych_server.models.use_profile import use_profile
        from triptych_server.repository import Repository

        changed = use_profile(Repository.locate(repository), profile)
    for url in changed:
        typer.echo(f"{url} serves with profile {profile}")
    if not changed:
        raise CommandError("no server runs on this repository here; start one with `triptych serve --profile`")


def check(repository: RepositoryOption = None, as_json: AsJson = False) -> None:
    """Look for stale generated configs, and for mistakes in every model's config of every profile; exit with 1 when there is one."""
    with server_side():
        from triptych_server.configs.lint import lint
        from triptych_server.repository import Repository

        findings = lint(Repository.locate(repository))
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            _say(str(finding))
    if findings:
        raise CommandError(f"{len(findings)} {'mistake' if len(findings) == 1 else 'mistakes'} in the configs")
    if not as_json:
        typer.echo("every config is up to date and without a mistake")


def diff(
    profile: ProfileOption,
    models: Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="All models when none is named.")] = None,
    against: Annotated[str, typer.Option(help="The profile to compare with.")] = "cpu",
    repository: RepositoryOption = None,
) -> None:
    """Show field by field what differs between two profiles."""
    with server_side():
        from triptych_server.configs.difference import differences
        from triptych_server.repository import Repository

        found = differences(Repository.locate(repository), against, profile, models or ())
    if not found:
        typer.echo(f"nothing differs between {against} and {profile}")
        return
    for model in dict.fromkeys(each.model for each in found):
        _say(f"{model}: {against} -> {profile}")
        for each in found:
            if each.model == model:
                _say(f"  {_change(each)}")


def explain(
    model: Annotated[str, typer.Argument(help="A model of the repository.")],
    profile: ProfileOption,
    repository: RepositoryOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the config that Triton loads for a model and a profile: each field, where it comes from, and the reason given there."""
    with server_side():
        from triptych_server.configs.origins import explain as origins
        from triptych_server.repository import Repository

        explanation = origins(Repository.locate(repository), model, profile)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(explanation), indent=2))
        return
    _say(f"{model}, profile {profile}: Triton reads {explanation.file}")
    for source in dict.fromkeys(each.source for each in explanation.fields):
        _say(f"\n{source}")
        fields = sorted((each for each in explanation.fields if each.source == source), key=lambda each: each.line)
        said = ""
        for each in fields:
            _field(each, why="" if each.comment == said else each.comment)
            said = each.comment


def _field(origin: "Origin", why: str) -> None:
    """One line, or a second one for a reason that does not fit."""
    start = f"{origin.line or '':>5}  {origin.field} = {_shown(origin.value)}"
    if why and len(start) + len(why) + 4 > out().width:
        _say(f"{start}\n{'':10}# {why}")
    else:
        _say(f"{start}  # {why}" if why else start)


def _say(text: str) -> None:
    out().print(text, markup=False, soft_wrap=True)


def _change(each: "Difference") -> str:
    """`-` for what the second profile does not have, `+` for what the first one does not, `~` for another value."""
    if each.after is None:
        return f"- {each.field} = {_shown(each.before)}"
    if each.before is None:
        return f"+ {each.field} = {_shown(each.after)}"
    return f"~ {each.field} = {_shown(each.before)} -> {_shown(each.after)}"


def _shown(value: "Value | None") -> str:
    """A value as config.pbtxt has it."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(_shown, value))}]"
    return str(value)
