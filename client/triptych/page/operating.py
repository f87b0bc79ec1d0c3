"""The library's and the servers' state for the page, and the index run, which is started and stopped here."""

import shlex
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from triptych.endpoint import DEFAULT_URL
from triptych.errors import TriptychError
from triptych.gateway.answer import json_response
from triptych.gateway.refusals import Malformed
from triptych.library import default_file
from triptych.page import told
from triptych.page.asked import MOST_TILES, json_of, page_of
from triptych.page.page import Page

_STATUS_SECONDS = 5.0


async def library(request: Request) -> Response:
    """What there is: how many photos, where, and what could not be indexed."""
    own = page_of(request).library

    def look() -> dict[str, Any]:
        failures = own.failures()
        told_failures = [{"name": path.name, "why": why} for path, why in failures[:MOST_TILES]]
        return {
            "photos": len(own),
            "folders": [str(folder) for folder in own.folders],
            "failed": len(failures),
            "failures": told_failures,
            "command": _command(page_of(request)),
        }

    return json_response(await page_of(request).ask(look))


async def index(request: Request) -> Response:
    """How the index run is going, or how the last one ended, and how many photos there are by now: a quick run is seen by that alone."""
    page = page_of(request)
    return json_response(await page.ask(lambda: {**page.indexing.look().told(), "photos": len(page.library)}))


async def run_index(request: Request) -> Response:
    """{"run": true} starts a run over the library's folders, {"run": false} stops the one that is going on."""
    page, wanted = page_of(request), (await json_of(request)).get("run")
    if not isinstance(wanted, bool):
        raise Malformed("run is neither true nor false")

    def act() -> dict[str, Any]:
        (page.indexing.start if wanted else page.indexing.stop)()
        return page.indexing.look().told()

    return json_response(await page.ask(act), 202)


async def status(request: Request) -> Response:
    """Every model of every Triton, as `triptych status` has it."""
    page = page_of(request)

    def look() -> list[dict[str, Any]]:
        return [_told_status(page, url) for url in page.tritons.urls]

    return json_response({"tritons": await page.ask(look)})


def _told_status(page: Page, url: str) -> dict[str, Any]:
    try:
        return {"url": url, **told.status(page.tritons.status(url, _STATUS_SECONDS))}
    except TriptychError as error:
        return {"url": url, "models": [], "ready": False, "note": None, "problems": [str(error)]}


def _command(page: Page) -> str:
    """What indexes a folder into this library with this server."""
    words = ["triptych", "index", "~/Pictures"]
    if page.library.file.absolute() != default_file():
        words += ["--library", shlex.quote(str(page.library.file.absolute()))]
    url = page.gateway.tritons[0]
    return " ".join([*words, "--url", shlex.quote(url)] if url not in (DEFAULT_URL, DEFAULT_URL.partition("//")[2]) else words)
