"""Photos of the library for the page: by date, by text, by likeness, and one with its faces."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from triptych.gateway.answer import json_response
from triptych.gateway.body import chunks
from triptych.gateway.refusals import Malformed
from triptych.library import Hit
from triptych.page import told
from triptych.page.asked import MOST_TEXT, MOST_TILES, id_of, number, only, page_of
from triptych.page.renditions import check_pixels

_SIMILAR = 60  # photos that look like one that was sent


async def photos(request: Request) -> Response:
    """Tiles by date, the newest first; one more than wanted tells whether there are more."""
    page, among = page_of(request), only(request)
    limit, offset = number(request, "limit", 60, 1, MOST_TILES), number(request, "offset", 0, 0)
    found = await page.ask(lambda: page.library.photos(only=among, limit=limit + 1, offset=offset))
    return json_response({"photos": [told.photo(each) for each in found[:limit]], "more": len(found) > limit})


async def search(request: Request) -> Response:
    """Tiles that fit a text, best first."""
    page, among, limit = page_of(request), only(request), number(request, "limit", 60, 1, MOST_TILES)
    text = request.query_params.get("q", "").strip()
    if not text or len(text) > MOST_TEXT:
        raise Malformed(f"q has {len(text)} characters; expected 1 to {MOST_TEXT}")
    hits = await page.ask(lambda: page.library.search(text, page.tritons.client(), only=among, limit=limit))
    return json_response({"photos": told.hits(hits), "more": False})


async def photo(request: Request) -> Response:
    """One photo, its faces, and who they are."""
    page, wanted = page_of(request), id_of(request, "photo")

    def look() -> dict[str, Any]:
        known, faces = page.library.photo(wanted), page.library.faces(wanted)
        people = {who: page.library.people.find(who) for who in {each.person for each in faces} if who is not None}
        return {**told.photo(known), "folder": str(known.path.parent), "faces": [told.face(each, people) for each in faces]}

    return json_response(await page.ask(look))


async def similar(request: Request) -> Response:
    """Tiles that look like a photo of the library."""
    page, wanted, among = page_of(request), id_of(request, "photo"), only(request)
    limit = number(request, "limit", 24, 1, MOST_TILES)
    hits = await page.ask(lambda: page.library.similar(wanted, only=among, limit=limit))
    return json_response({"photos": told.hits(hits), "more": False})


async def similar_to(request: Request) -> Response:
    """Tiles that look like the picture that is sent, of which nothing is kept."""
    page, among = page_of(request), only(request)
    with page.uploading():
        parts = chunks(request.headers, request.receive, page.gateway.max_upload, page.gateway.timeout)
        data = b"".join([part async for part in parts])
        if not data:
            raise Malformed("no picture was sent")

        def look() -> list[Hit]:
            check_pixels(data, page.gateway.max_pixels)  # a HEIC is decoded here
            return page.library.similar(data, page.tritons.client(), only=among, limit=_SIMILAR)

        hits = await page.ask(look)
    return json_response({"photos": told.hits(hits), "more": False})
