"""Every rule on every config of a repository: config.pbtxt, generated and tuned ones, and the fragments they are made of."""

import re
from collections.abc import Iterator
from pathlib import Path

from triptych_server.configs.lint.accelerators import accelerators
from triptych_server.configs.lint.ensembles import ensembles
from triptych_server.configs.lint.finding import Finding
from triptych_server.configs.lint.instances import instances
from triptych_server.configs.lint.neighbours import neighbours
from triptych_server.configs.lint.options import options
from triptych_server.configs.lint.queues import queues
from triptych_server.configs.lint.subject import Everything, Rule, Subject
from triptych_server.configs.lint.tensors import tensors
from triptych_server.configs.nearest import did_you_mean
from triptych_server.configs.profiles import HEADER, profile_names, stale_profiles, tuned_files
from triptych_server.configs.read import DEFAULT_PROFILE, parse_config, read_text
from triptych_server.configs.source import places
from triptych_server.errors import ConfigError
from triptych_server.repository import Repository

RULES: tuple[Rule, ...] = (tensors, instances, queues, neighbours, options, accelerators, ensembles)

_LINE = re.compile(r"^:(\d+):\d+: ")


def lint(repository: Repository) -> list[Finding]:
    """All mistakes, by file. Files that protobuf cannot read come first, and alone: nothing can be said of what depends on them."""
    unreadable = [finding for file in _files(repository) for finding in _syntax(repository, file)]
    if unreadable:
        return unreadable
    subjects = [_subject(repository, folder, file) for folder in repository.models() for file in _configs(folder)]
    everything = Everything({(subject.model, subject.profile): subject.config for subject in subjects})
    found = {finding: None for subject in subjects for rule in RULES for finding in rule(subject, everything)}
    return [*_unread(repository), *_stale(repository), *found]


def _files(repository: Repository) -> list[Path]:
    """Config files of models and fragments of profiles."""
    fragments = sorted(repository.profiles.glob("**/*.pbtxt"))
    return [*(file for folder in repository.models() for file in _configs(folder)), *fragments]


def _configs(folder: Path) -> list[Path]:
    return [folder / "config.pbtxt", *sorted((folder / "configs").glob("*.pbtxt"))]


def _syntax(repository: Repository, file: Path) -> Iterator[Finding]:
    name = file.relative_to(repository.root).as_posix()
    try:
        parse_config(read_text(file), name)
    except ConfigError as error:
        text = str(error).removeprefix(name)
        line = _LINE.match(text)
        what, _, near = (text[line.end() :] if line else text.removeprefix(": ")).partition("; ")
        yield Finding(name, int(line[1]) if line else 0, "", what, "a ModelConfig in protobuf's text format", near or "correct it")


def _subject(repository: Repository, folder: Path, file: Path) -> Subject:
    text, name = read_text(file), file.relative_to(repository.root).as_posix()
    profile = file.stem if file.parent.name == "configs" else DEFAULT_PROFILE
    is_network = folder.parent == repository.networks
    generated = is_network and profile != DEFAULT_PROFILE and profile in profile_names(repository)
    return Subject(folder.name, profile, name, parse_config(text, name), places(text), is_network, generated)


def _unread(repository: Repository) -> Iterator[Finding]:
    """Files that change nothing, as nobody reads them."""
    networks = [folder.name for folder in repository.models() if folder.parent == repository.networks]
    profiles = profile_names(repository)[1:]
    for file in sorted(repository.profiles.glob("*/**/*.pbtxt")):
        folder, model = file.relative_to(repository.profiles).parts[0], file.stem
        name = file.relative_to(repository.root).as_posix()
        if folder not in profiles:
            expected, mend = (
                f"a profile: {', '.join(profiles)}",
                f"add profiles/{folder}.pbtxt, or rename it{did_you_mean(folder, profiles)}",
            )
            yield Finding(name, 0, "", f"a fragment of {folder!r}", expected, mend)
        elif file.parent.parent != repository.profiles or model not in networks:
            expected = f"profiles/{folder}/<network>.pbtxt, of {', '.join(networks)}"
            yield Finding(name, 0, "", "a fragment that no network takes", expected, f"rename or drop it{did_you_mean(model, networks)}")
    for tuned in tuned_files(repository):
        source = f"profiles/{tuned.stem}.pbtxt"
        if read_text(tuned).startswith(HEADER.partition("{")[0] + source):
            found, expected = "a config that is generated no more", f"{source}, which it was made of"
            yield Finding(tuned.relative_to(repository.root).as_posix(), 0, "", found, expected, "drop it, or put that back")
    for model_folder in repository.models():
        if (config := model_folder / "configs" / f"{DEFAULT_PROFILE}.pbtxt").is_file():
            name, expected = config.relative_to(repository.root).as_posix(), f"{model_folder.name}/config.pbtxt, which is the profile cpu"
            yield Finding(name, 0, "", "a config that Triton never reads", expected, "give it a name of its own, or drop it")


def _stale(repository: Repository) -> Iterator[Finding]:
    for file in stale_profiles(repository):
        found = "another config than its sources make" if file.is_file() else "no file"
        expected = "what config.pbtxt and the profile make of the model"
        yield Finding(file.relative_to(repository.root).as_posix(), 0, "", found, expected, "run `triptych configs render`")
