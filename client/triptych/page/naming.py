"""The people of the library for the page: who they are, and what a user says about them."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from triptych.gateway.answer import json_response
from triptych.gateway.refusals import Malformed
from triptych.page import told
from triptych.page.asked import MOST_TEXT, id_of, ids_in, json_of, page_of

_MOST_FACES = 500  # of one person are shown


async def people(request: Request) -> Response:
    """Everybody, those with a name first."""
    page = page_of(request)
    return json_response({"people": [told.person(each) for each in await page.ask(page.library.people.all)]})


async def person(request: Request) -> Response:
    """Somebody, with the largest faces."""
    page, wanted = page_of(request), id_of(request, "person")

    def look() -> dict[str, Any]:
        known = page.library.people.find(wanted)
        return {**told.person(known), "shown": [told.face(each) for each in page.library.people.faces(wanted, _MOST_FACES)]}

    return json_response(await page.ask(look))


async def name(request: Request) -> Response:
    """{"name": text, or null to take it away}."""
    page, wanted, given = page_of(request), id_of(request, "person"), (await json_of(request)).get("name")
    if given is not None and not (isinstance(given, str) and len(given) <= MOST_TEXT):
        raise Malformed(f"name is no text of {MOST_TEXT} characters at most, and not null")
    return json_response(told.person(await page.ask(lambda: page.library.people.name(wanted, given))))


async def merge(request: Request) -> Response:
    """{"people": [ids]}: they are this person, too."""
    page, into, others = page_of(request), id_of(request, "person"), ids_in(await json_of(request), "people")
    return json_response(told.person(await page.ask(lambda: page.library.people.merge(into, others))))


async def split(request: Request) -> Response:
    """{"faces": [ids]}: these are somebody else; without any, the smaller of the two groups that all fall into. Gives the new person."""
    page, wanted, body = page_of(request), id_of(request, "person"), await json_of(request)
    faces = ids_in(body, "faces") if "faces" in body else None
    return json_response(told.person(await page.ask(lambda: page.library.people.split(wanted, faces))))


async def remove_face(request: Request) -> Response:
    """This face is nobody of interest."""
    page, wanted = page_of(request), id_of(request, "face")
    await page.ask(lambda: page.library.people.remove(wanted))
    return Response(status_code=204)
