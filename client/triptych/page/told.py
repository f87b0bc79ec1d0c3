"""What a library and its server say -> what the page's scripts read."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from triptych.library import Hit, KnownFace, Person, Photo
from triptych.status import ServerStatus


def photo(known: Photo) -> dict[str, Any]:
    """A tile of the grid."""
    width, height = known.size
    return {"id": known.id, "name": known.path.name, "width": width, "height": height, "taken": known.taken}


def hits(found: Iterable[Hit]) -> list[dict[str, Any]]:
    """Tiles with how well they fit."""
    return [{**photo(hit.photo), "score": round(hit.score, 4)} for hit in found]


def person(known: Person) -> dict[str, Any]:
    """Somebody on the page of people."""
    return {"id": known.id, "name": known.name, "faces": known.faces, "photos": known.photos}


def face(known: KnownFace, people: Mapping[int, Person] | None = None) -> dict[str, Any]:
    """A face, with the name of who it is where `people` is given."""
    told: dict[str, Any] = {
        "id": known.id,
        "photo": known.photo.id,
        "box": [round(value, 1) for value in known.box],
        "person": known.person,
    }
    if people is not None and known.person is not None:
        told["name"] = people[known.person].name
    return told


def status(server: ServerStatus) -> dict[str, Any]:
    """As `triptych status --json`."""
    return {**asdict(server), "problems": server.problems}
