"""Who may ask the page, and what a browser may do with the answers: keeps other sites away from the photos of who is looking at them.

The page has no login where it is on loopback, so a request must show that it comes from the page itself: it names a loopback host (a
rebound DNS name does not), it was not made by another site, and what changes something cannot be sent by another site's form.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triptych.gateway.refusals import Forbidden, Refused
from triptych.page.settings import is_page

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
BODIES = frozenset({"application/json", "application/octet-stream"})
"""Content types that a browser sends to another site only after asking it, and we never say yes."""
POLICY = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_SAFE = frozenset({"GET", "HEAD"})


class Policy:
    """ASGI middleware: every answer below ROOT, refusals too, carries POLICY."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_page(scope["path"]):
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in POLICY.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, answer)


class Guard:
    """ASGI middleware that lets through what may be asked; `keyed`: whether the gateway asks for a key, in which case it has any name."""

    def __init__(self, app: ASGIApp, *, keyed: bool) -> None:
        self._app = app
        self._keyed = keyed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if not self._keyed:
            check_host(headers)
        check_site(scope["method"], headers)
        await self._app(scope, receive, send)


def check_host(headers: Headers) -> None:
    """Raises Forbidden for a host that is not loopback, whatever address it resolves to."""
    hosts = headers.getlist("host")
    name = urlsplit(f"//{hosts[0]}").hostname if len(hosts) == 1 and _parses(hosts[0]) else None
    if name not in LOOPBACK:
        raise Forbidden(
            "the page answers to localhost, 127.0.0.1 and [::1] only; to reach it by another name, start the gateway with --api-keys"
        )


def check_site(method: str, headers: Headers) -> None:
    """Raises Forbidden for what another site's page asks, Refused for a body that a form could send."""
    site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode", "")
    followed = method in _SAFE and mode == "navigate" and headers.get("sec-fetch-dest") == "document"  # a link to the page
    if site not in ("same-origin", "none") and not followed:
        raise Forbidden("another site asked for this; the page answers only itself")
    if method in _SAFE:
        return
    origin = headers.get("origin")
    if origin is not None and (not _parses(origin.partition("//")[2]) or urlsplit(origin).netloc != headers.get("host")):
        raise Forbidden("another site asked for this; the page answers only itself")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if method == "POST" and kind not in BODIES:
        raise Refused(f"the content type is {kind[:80]!r}; expected {' or '.join(sorted(BODIES))}")


def _parses(netloc: str) -> bool:
    try:
        urlsplit(f"//{netloc}").port  # noqa: B018 - reading it checks it
    except ValueError:
        return False
    return True
