"""The gateway put together: settings in, an ASGI application out."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib import metadata, resources
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from triptych.gateway import openai, pages
from triptych.gateway.fleet import Fleet
from triptych.gateway.front import Front, told
from triptych.gateway.keys import Keys
from triptych.gateway.meters import Meters
from triptych.gateway.predict import predict
from triptych.gateway.rate import Rates
from triptych.gateway.settings import GatewaySettings
from triptych.library import LibraryError
from triptych.page.guard import Policy
from triptych.page.page import Page
from triptych.page.routes import library_error, mounted
from triptych.page.settings import PageSettings

ROUTES = (
    Route("/predict", predict, methods=["POST"]),  # first: they are tried in turn
    Route("/", pages.greeting),
    Route("/ping", pages.ping),
    Route("/v1/embeddings", openai.embeddings, methods=["POST"]),
    Route("/v1/models", openai.models),
    Route("/v1/models/{model:path}", openai.model),
    Route("/health/live", pages.live),
    Route("/health/ready", pages.ready),
    Route("/metrics", pages.metrics),
    Route("/openapi.json", pages.openapi),
    Route("/docs", pages.docs),
)


def build(settings: GatewaySettings, page: PageSettings | None = None) -> Starlette:
    """The application, with the page over a library when there is one; it looks after its Tritons while its lifespan lasts.

    Raises InvalidInput for addresses that are none, LibraryError for a file that is no library.
    """
    meters = Meters()
    fleet = Fleet(
        settings.tritons, names=settings.names, timeout=settings.timeout, headers=settings.headers, tls=settings.tls, lost=meters.lost
    )
    meters.follow(fleet)

    shown = None if page is None else Page(page, settings, fleet)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with fleet.running(), contextlib.nullcontext() if shown is None else shown.running():
            yield

    paths = frozenset(route.path for route in ROUTES)
    routes = ROUTES if shown is None else (*ROUTES, mounted(settings.is_keyed))
    keys = Keys(settings.api_key, settings.api_keys_file) if settings.is_keyed else None
    rates = Rates(settings.rate, settings.burst) if settings.rate else None
    front = Middleware(Front, meters=meters, paths=paths, keys=keys, rates=rates, max_in_flight=settings.max_in_flight)
    handlers = {HTTPException: _http_error, LibraryError: library_error}
    app = Starlette(
        routes=routes, middleware=[*([] if shown is None else [Middleware(Policy)]), front], lifespan=lifespan, exception_handlers=handlers
    )
    app.state.page = shown
    app.state.settings, app.state.fleet, app.state.meters, app.state.description = settings, fleet, meters, description()
    return app


def description() -> dict[str, Any]:
    """The API in OpenAPI's form, with this version."""
    text = (resources.files("triptych.gateway") / "openapi.json").read_bytes()
    try:
        version = metadata.version("triptych")
    except metadata.PackageNotFoundError:
        version = "0"
    content: dict[str, Any] = orjson.loads(text)
    content["info"]["version"] = version
    return content


def _http_error(request: Request, error: Exception) -> Response:
    """Starlette's own: an unknown path, a method that a path does not have."""
    assert isinstance(error, HTTPException)
    return told(request.url.path, error.detail, HTTPStatus(error.status_code).name, error.status_code, error.headers)
