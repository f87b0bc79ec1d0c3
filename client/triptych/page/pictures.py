"""Pictures for the page, always small copies: of photos, of faces, of somebody's largest face."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from triptych.library import KnownFace, NotInLibrary, Photo
from triptych.page.asked import id_of, page_of
from triptych.page.renditions import SCREEN, TILE, Rendition, face_rendition


async def tile(request: Request) -> Response:
    """A photo for the grid."""
    page, wanted = page_of(request), id_of(request, "photo")
    return await _picture(request, lambda: (page.library.photo(wanted), TILE))


async def screen(request: Request) -> Response:
    """A photo for the whole window."""
    page, wanted = page_of(request), id_of(request, "photo")
    return await _picture(request, lambda: (page.library.photo(wanted), SCREEN))


async def face(request: Request) -> Response:
    """A face, cut out."""
    page, on, wanted = page_of(request), id_of(request, "photo"), id_of(request, "face")
    return await _picture(request, lambda: _cut(page.library.faces(on), wanted))


async def cover(request: Request) -> Response:
    """Somebody's largest face."""
    page, wanted = page_of(request), id_of(request, "person")
    return await _picture(request, lambda: _cut(page.library.people.faces(wanted, 1), None))


async def _picture(request: Request, find: Callable[[], tuple[Photo, Rendition]]) -> Response:
    """Kept by browsers, who ask whether it is still the same: ids of another library may be in their cache."""
    copy = await page_of(request).copies.copy(find, request.headers.get("if-none-match", ""))
    headers = {"etag": f'"{copy.key}"', "cache-control": "private, no-cache"}
    if copy.data is None:
        return Response(status_code=304, headers=headers)
    return Response(copy.data, media_type="image/jpeg", headers=headers)


def _cut(faces: list[KnownFace], wanted: int | None) -> tuple[Photo, Rendition]:
    for known in faces:
        if wanted is None or known.id == wanted:
            return known.photo, face_rendition(known.box)
    raise NotInLibrary("there is no such face")
