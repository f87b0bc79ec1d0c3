"""A Dockerfile read into stages, and its build steps run on this machine below a folder, in place of a container engine."""

import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stage:
    """`base` is an image or an earlier stage; steps are (instruction, argument)."""

    name: str
    base: str
    steps: list[tuple[str, str]]

    def all(self, instruction: str) -> list[str]:
        return [argument for name, argument in self.steps if name == instruction]


def read_stages(file: Path) -> dict[str, Stage]:
    """By name, the last one as "" where it has none."""
    lines = [line for line in file.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    stages: dict[str, Stage] = {}
    stage = Stage("", "", [])
    for line in "\n".join(lines).replace("\\\n", "").splitlines():
        instruction, _, argument = line.partition(" ")
        if instruction == "FROM":
            base, _, name = argument.partition(" AS ")
            stage = stages[name] = Stage(name, base, [])
        else:
            stage.steps.append((instruction, argument.strip()))
    return stages


def command_of(stages: dict[str, Stage], name: str) -> list[str]:
    """ENTRYPOINT and CMD of a stage, its own or inherited."""
    found: dict[str, list[str]] = {}
    while name in stages:
        for instruction in ("ENTRYPOINT", "CMD"):
            for argument in stages[name].all(instruction):
                found.setdefault(instruction, json.loads(argument))
        name = stages[name].base
    return [*found["ENTRYPOINT"], *found["CMD"]]


def environment_of(stages: dict[str, Stage], name: str) -> dict[str, str]:
    """ENV of a stage and those below it; PATH is only what is put before."""
    chain = []
    while name in stages:
        chain.append(stages[name])
        name = stages[name].base
    pairs = (word.partition("=") for stage in reversed(chain) for line in stage.all("ENV") for word in shlex.split(line))
    return {key: value for key, _, value in pairs}


def packages_of(stage: Stage) -> list[str]:
    """What apt-get installs."""
    return [
        name
        for line in stage.all("RUN")
        for words in re.findall(r"--no-install-recommends ([\w. +-]+?) *(?:&&|;|$)", line)
        for name in words.split()
    ]


@dataclass(frozen=True)
class Build:
    """Stages run below `root`, which stands for the container's /: /opt, /build and /dist are there."""

    stages: dict[str, Stage]
    root: Path
    context: Path

    def run(self, name: str) -> None:
        """The steps of one stage; those of apt-get are left out."""
        for instruction, argument in self.stages[name].steps:
            if instruction == "RUN" and "apt-get" not in argument:
                self.shell(argument, environment_of(self.stages, name))
            elif instruction == "COPY" and not argument.startswith("--from"):
                *sources, _ = argument.split()
                for source in sources:
                    self._copy(source)

    def shell(self, command: str, environment: dict[str, str]) -> str:
        """Run one command as RUN does; its output."""
        given = {key: self.here(value.replace("$PATH", os.environ["PATH"])) for key, value in environment.items()}
        done = subprocess.run(
            ["bash", "-ec", self.here(command)],
            cwd=self.root / "build",
            env={**os.environ, **index_settings(), **given},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def here(self, text: str) -> str:
        """Paths of the container as paths below the root."""
        return re.sub(r"(?<![\w.])/(opt|dist|data)(?=[/\s*:]|$)", rf"{self.root}/\1", text)

    def _copy(self, source: str) -> None:
        for file in sent_files(self.context):
            if source == "." or file == Path(source):
                target = self.root / "build" / (file if source == "." else file.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.context / file, target)


def sent_files(context: Path) -> list[Path]:
    """What .dockerignore lets through of the files that git knows, or would add."""
    lines = (context / ".dockerignore").read_text().splitlines()
    kept = [line[1:] for line in lines if line.startswith("!")]
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *kept],
        cwd=context,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [Path(name) for name in tracked.split("\0") if name and (context / name).is_file()]


def index_settings() -> dict[str, str]:
    """uv asks the index, and trusts the certificates, that pip does on this machine."""
    settings = {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}
    if index := os.environ.get("PIP_INDEX_URL"):
        settings["UV_DEFAULT_INDEX"] = index
    return settings
