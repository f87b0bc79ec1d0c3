"""The small pages: greeting, ping, health, metrics, and the description of the API."""

from html import escape
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from triptych.gateway.answer import json_response
from triptych.gateway.refusals import headers_of
from triptych.page.settings import ROOT

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }}
pre {{ overflow: auto; padding: 1rem; border: 1px solid #8884 }}
</style>
<h1>{title}</h1>
{body}
"""


async def greeting(request: Request) -> Response:
    """As Immich's own service greets; a browser is shown the page, where there is one."""
    if request.app.state.page is not None and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"{ROOT}/")
    return json_response({"message": "Immich ML"})


async def ping(request: Request) -> Response:
    """`pong` when a Triton has every model loaded and warm, else 503 and why."""
    fleet = request.app.state.fleet
    if fleet.ready:
        return PlainTextResponse("pong")
    return PlainTextResponse("no Triton is ready; /health/ready says why", 503, headers_of(503))


async def live(request: Request) -> Response:
    """The process answers."""
    return json_response({"status": "live"})


async def ready(request: Request) -> Response:
    """Which Tritons are ready, and what they serve; 503 when none is. Where there is an API key, no more than that."""
    fleet = request.app.state.fleet
    status = 200 if fleet.ready else 503
    answer: dict[str, Any] = {"status": "ready" if fleet.ready else "not ready"}
    if request.app.state.settings.is_keyed:
        return json_response(answer, status, headers_of(status))
    tritons = [
        {
            "url": backend.url,
            "ready": backend.served is not None,
            "reason": backend.reason,
            "clip": backend.served and backend.served.clip,
            "faces": backend.served and backend.served.faces,
            "pending": backend.pending,
        }
        for backend in fleet.backends
    ]
    return json_response({**answer, "tritons": tritons}, status, headers_of(status))


async def metrics(request: Request) -> Response:
    """For Prometheus."""
    return Response(request.app.state.meters.page(), media_type=CONTENT_TYPE_LATEST)


async def openapi(request: Request) -> Response:
    """The API, in OpenAPI's form."""
    return json_response(request.app.state.description)


async def docs(request: Request) -> Response:
    """The API to read: one page that asks nothing of anybody else."""
    description: dict[str, Any] = request.app.state.description
    parts = [
        f"<h2>{escape(method.upper())} {escape(path)}</h2><p>{escape(operation['summary'])}</p>{_details(operation)}"
        for path, item in description["paths"].items()
        for method, operation in item.items()
    ]
    info = description["info"]
    intro = f'<p>{escape(info["description"])} As data: <a href="openapi.json">openapi.json</a></p>'
    return HTMLResponse(_PAGE.format(title=escape(info["title"]), body=intro + "".join(parts)))


def _details(operation: dict[str, Any]) -> str:
    kept = {key: operation[key] for key in ("requestBody", "responses") if key in operation}
    text = orjson.dumps(kept, option=orjson.OPT_INDENT_2).decode()
    return f"<details><summary>Request and answers</summary><pre>{escape(text)}</pre></details>"
