"""The page's addresses: its own files, the data that its scripts ask for, small copies of photos, and what changes something."""

from pathlib import Path

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from triptych.gateway.answer import json_response
from triptych.library import LibraryIncomplete, NotInLibrary
from triptych.page import browsing, filters, naming, operating, pictures
from triptych.page.guard import Guard
from triptych.page.settings import ROOT

_STATIC = Path(__file__).parent / "static"


def mounted(keyed: bool) -> Mount:
    """All of it, below ROOT, behind the guard; `app.state.page` is a Page. `keyed`: whether the gateway asks for a key."""
    return Mount(
        ROOT,
        routes=[
            Route("/", home),
            Route("/api/library", operating.library),
            Route("/api/index", operating.index),
            Route("/api/index", operating.run_index, methods=["POST"]),
            Route("/api/status", operating.status),
            Route("/api/filters", filters.filters),
            Route("/api/photos", browsing.photos),
            Route("/api/photos/{photo:int}", browsing.photo),
            Route("/api/photos/{photo:int}/similar", browsing.similar),
            Route("/api/search", browsing.search),
            Route("/api/similar", browsing.similar_to, methods=["POST"]),
            Route("/api/people", naming.people),
            Route("/api/people/{person:int}", naming.person),
            Route("/api/people/{person:int}", naming.name, methods=["PATCH"]),
            Route("/api/people/{person:int}/merge", naming.merge, methods=["POST"]),
            Route("/api/people/{person:int}/split", naming.split, methods=["POST"]),
            Route("/api/faces/{face:int}", naming.remove_face, methods=["DELETE"]),
            Route("/tiles/{photo:int}", pictures.tile),
            Route("/photos/{photo:int}", pictures.screen),
            Route("/photos/{photo:int}/faces/{face:int}", pictures.face),
            Route("/people/{person:int}/face", pictures.cover),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ],
        middleware=[Middleware(Guard, keyed=keyed)],
    )


async def home(request: Request) -> Response:
    """The page itself; its scripts do the rest."""
    return FileResponse(_STATIC / "index.html")


def library_error(request: Request, error: Exception) -> Response:
    """The answer to what the library cannot do."""
    status = 404 if isinstance(error, NotInLibrary) else 500 if isinstance(error, LibraryIncomplete) else 409
    return json_response({"detail": str(error)}, status)
