"""`triptych models show`: all that is known of one model, for people and as JSON."""

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import typer

from triptych.cli.console import CommandError
from triptych.cli.models import options
from triptych.cli.server_side import server_side

if TYPE_CHECKING:  # the server part may not be installed
    from triptych_server.models.cache import Cached
    from triptych_server.models.catalogue import CatalogueModel


def show(
    name: options.Name,
    organisation: options.Organisation = None,
    cache: options.CacheFolder = None,
    repository: options.RepositoryFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """Show all that is known of a model, where it is in the cache, and whether it is served."""
    with server_side():
        from triptych_server.models.cache import Cache
        from triptych_server.models.model_name import model_name
        from triptych_server.models.served_names import served_names
        from triptych_server.repository import Repository

        model = model_name(name, organisation)
        served = [each for each in served_names(Repository.locate(repository)).values() if each.repository == model.repository]
        here = Cache.locate(cache).of(model)
        known = model.known
    if known is None and not here:
        raise CommandError(f"{model} is neither in the catalogue nor in the cache; `triptych models pull {model}` asks the hub for it")
    facts = facts_of(known, here) if known else facts_of_cached(here[0])
    facts["served"] = dataclasses.asdict(served[0]) if served else None
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    for key, value in _lines(facts):
        typer.echo(f"{key:14}{value}")


def facts_of(model: "CatalogueModel", here: "list[Cached]") -> dict[str, Any]:
    """A model for JSON: the catalogue's facts, and what of it is in the cache."""
    facts = dataclasses.asdict(model)
    estimated = {"disk_mb": model.disk_mb, "memory_about_mib": model.memory_about_mib, "memory_measured": model.memory_mib is not None}
    return facts | estimated | {"installed": [_place(cached) for cached in here if cached.model.name == model.name]}


def facts_of_cached(cached: "Cached") -> dict[str, Any]:
    """A model that the catalogue does not have, for JSON."""
    return {"name": str(cached.model), "disk_mb": round(cached.manifest.size / 1e6), "installed": [_place(cached)]}


def _place(cached: "Cached") -> dict[str, Any]:
    return {
        "repository": cached.manifest.repository,
        "revisions": list(cached.revisions),
        "commit": cached.manifest.commit,
        "bytes": cached.manifest.size,
        "folder": str(cached.folder),
    }


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """A model for people: (what, value)."""
    lines = [("name", facts["name"])]
    if "task" in facts:
        about = "" if facts["memory_measured"] else ", estimated"
        languages = {"": "", "en": "English", "many": "many"}[facts["languages"]]
        licence = facts["licence"]
        recall = sorted((facts["recall"] or {}).items(), key=lambda pair: -pair[1])
        lines += [
            ("task", facts["task"]),
            ("embedding", f"{facts['dim']} numbers"),
            ("picture", f"{facts['size']} x {facts['size']} pixels"),
            ("context", f"{facts['context']} tokens" if facts["context"] else ""),
            ("languages", languages),
            ("recall", ", ".join(f"{code} {value:g}" for code, value in recall)),
            ("MR-ALL", f"{facts['score']:g} %" if facts["score"] else ""),
            ("parameters", f"{facts['mparams']:g} million"),
            ("memory", f"about {facts['memory_about_mib']:,} MiB{about}"),
            ("time", f"{facts['ms']:g} ms a picture on one machine (Ryzen 7 7800X3D, f32)" if facts["ms"] else ""),
            ("licence", f"{licence['name']} ({licence['holder']})" + (f": {licence['note']}" if licence["note"] else "")),
        ]
    lines.append(("disk", f"about {facts['disk_mb']:,} MB"))
    for place in facts["installed"]:
        lines.append(
            ("in the cache", f"{', '.join(place['revisions'])} = {place['commit'][:12]} of {place['repository']}: {place['folder']}")
        )
    if served := facts["served"]:
        resized = "; resized as Immich did up to 3.2" if served["legacy_resize"] else ""
        lines.append(("served", f"{served['revision']} = {served['commit'][:12]}{resized}"))
    return [(key, value) for key, value in lines if value]
