"""What a request asks for: ids, numbers, the person that photos are of, a small JSON body. Raises Malformed for what makes no sense."""

from datetime import date
from pathlib import Path
from typing import Any

import orjson
from starlette.requests import Request

from triptych.errors import InvalidInput
from triptych.gateway.body import chunks
from triptych.gateway.refusals import Malformed
from triptych.library import NotInLibrary, Only, days
from triptych.page.page import Page

MOST_TILES = 200
"""Photos of one answer."""
MOST_TEXT = 1000
"""Characters of a search or a name."""
_MOST_PATH = 4096  # characters
_MOST_JSON = 64 << 10  # bytes
_LARGEST = 2**63 - 1  # id that SQLite can have


def page_of(request: Request) -> Page:
    page: Page = request.app.state.page
    return page


def id_of(request: Request, name: str) -> int:
    """Of the address. Raises NotInLibrary for one that nothing can have."""
    value: int = request.path_params[name]
    if value > _LARGEST:
        raise NotInLibrary(f"there is no {name} {value}")
    return value


def number(request: Request, name: str, default: int, least: int, most: int = _LARGEST) -> int:
    """Of the query."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and least <= int(text) <= most):
        raise Malformed(f"{name} is {text[:40]!r}; expected a whole number from {least} to {most}")
    return int(text)


def only(request: Request) -> Only | None:
    """Which photos are wanted: `person`, an id; `since` and `until`, a year, a month or a day each; `folder`. None: all."""
    people = (number(request, "person", 0, 1),) if "person" in request.query_params else ()
    first, last = _days(request, "since"), _days(request, "until")
    wanted = Only(people, first and first[0], last and last[1], folder_of(request))
    return None if wanted == Only() else wanted


def folder_of(request: Request) -> Path | None:
    """`folder` of the query, an absolute path. It is compared with those of photos; nothing is ever opened by it."""
    text = request.query_params.get("folder", "")
    if text and (len(text) > _MOST_PATH or "\0" in text or not Path(text).is_absolute()):
        raise Malformed(f"folder is {text[:80]!r}; expected an absolute path")
    return Path(text) if text else None


def _days(request: Request, name: str) -> tuple[date, date] | None:
    text = request.query_params.get(name, "")
    try:
        return days(text) if text else None
    except InvalidInput as error:
        raise Malformed(f"{name}: {error}") from None


async def json_of(request: Request) -> dict[str, Any]:
    """The body, an object."""
    parts = chunks(request.headers, request.receive, _MOST_JSON, page_of(request).gateway.timeout)
    try:
        body = orjson.loads(b"".join([part async for part in parts]))
    except orjson.JSONDecodeError as error:
        raise Malformed(f"the body is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise Malformed("the body is no object")
    return body


def ids_in(body: dict[str, Any], name: str) -> list[int]:
    """One or more."""
    ids = body.get(name)
    if not isinstance(ids, list) or not ids or not all(type(one) is int and 0 < one <= _LARGEST for one in ids):
        raise Malformed(f"{name} is no list of ids")
    return ids
