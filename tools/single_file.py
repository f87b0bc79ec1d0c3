"""Compose files for platforms that take one file and know no `extends`: docker-compose.yml and a service of hwaccel.yml as one.

Run it after a change of either: `.venv/bin/python tools/single_file.py` writes docker/compose/<hardware>.yml for every service.
"""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docker" / "compose"
HEADER = """\
# Triptych on {hardware}, for platforms that take one compose file. Made of docker-compose.yml and hwaccel.yml, which explain each line,
# by tools/single_file.py. It wants an image of this name on the machine: docs/containers.md says how to build it.
"""


def hardware_names() -> list[str]:
    """The services of hwaccel.yml."""
    return list(_read(ROOT / "hwaccel.yml")["services"])


def single_file(hardware: str) -> str:
    """The text of one file."""
    compose, base = _read(ROOT / "docker-compose.yml"), _read(ROOT / "hwaccel.yml")["services"][hardware]
    service = compose["services"]["triptych"]
    del service["extends"]
    for each in (base, compose["services"]["gateway"], compose["services"]["page"]):
        del each["build"]  # such platforms have no build context
    compose["services"]["triptych"] = merged(base, service)
    return HEADER.format(hardware=hardware) + str(yaml.safe_dump(compose, sort_keys=False, width=140))


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """As `extends` does: mappings key by key, lists one after the other, anything else from `over`."""
    result = dict(base)
    for key, value in over.items():
        there = base.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            result[key] = merged(there, value)
        elif isinstance(value, list) and isinstance(there, list):
            result[key] = [*there, *value]
        else:
            result[key] = value
    return result


def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for hardware in hardware_names():
        (FOLDER / f"{hardware}.yml").write_text(single_file(hardware))
