"""What every request passes first: its id, the API key, the limit of requests at a time; and the log and the meters behind it."""

import base64
import binascii
import logging
import re
import time
import uuid
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triptych.errors import TriptychError
from triptych.gateway.answer import json_response
from triptych.gateway.keys import Keys
from triptych.gateway.meters import Meters
from triptych.gateway.rate import Rates, network_of
from triptych.gateway.refusals import Busy, TooOften, Unauthorised, headers_of, status_of
from triptych.page.settings import ROOT, is_page

OPEN = frozenset({"/", "/ping", "/health/live", "/health/ready"})
"""Paths that need no key: they tell nothing, and who asks them can often send none."""
WORK = frozenset({"/predict", "/v1/embeddings"})
"""Paths whose requests count."""
REQUEST_ID = "x-request-id"

_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_log = logging.getLogger("triptych.gateway")


class Front:
    """ASGI middleware; `paths` are those that the log and the meters know by name."""

    def __init__(
        self, app: ASGIApp, *, meters: Meters, paths: frozenset[str], keys: Keys | None, rates: Rates | None, max_in_flight: int
    ) -> None:
        self._app = app
        self._meters = meters
        self._paths = paths
        self._keys = keys
        self._rates = rates
        self._max = max_in_flight
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, headers, path = time.perf_counter(), Headers(scope=scope), scope["path"]
        given = headers.get(REQUEST_ID, "")
        scope["request_id"] = given if _ID.fullmatch(given) else uuid.uuid4().hex
        status = 500

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = scope["request_id"]
            await send(message)

        try:
            await self._admitted(path, headers, scope, receive, tell)
        except TriptychError as error:
            status = status_of(error)
            await refusal(path, error)(scope, receive, tell)
        except Exception:
            _log.exception("%s %s failed, request %s", scope["method"], path, scope["request_id"])
            text = f"the gateway failed; its log says why, at request {scope['request_id']}"
            await told(path, text, "InternalServerError", 500, None)(scope, receive, tell)
        finally:
            seconds = time.perf_counter() - began
            page = is_page(path)
            self._meters.answered(path if path in self._paths else ROOT if page else "other", status, seconds)
            level = logging.DEBUG if path in OPEN or (page and status < 400) else logging.INFO
            _log.log(
                level,
                "%s %s %d %.1f ms %s",
                scope["method"],
                path.encode("unicode_escape").decode(),
                status,
                1000 * seconds,
                scope["request_id"],
            )

    async def _admitted(self, path: str, headers: Headers, scope: Scope, receive: Receive, send: Send) -> None:
        caller = network_of(scope["client"][0]) if scope.get("client") else ""
        if self._keys is not None and path not in OPEN:
            caller = self._check_key(self._keys, headers, caller, basic=is_page(path))
        if path not in WORK or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        self._check_rate(caller)
        if self._in_flight >= self._max:
            raise Busy(f"{self._in_flight} requests are under way, as many as may be; ask again in a moment")
        self._in_flight += 1
        self._meters.in_flight.inc()
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= 1
            self._meters.in_flight.dec()

    def _check_key(self, keys: Keys, headers: Headers, address: str, *, basic: bool) -> str:
        """Whose key it is; `basic`: a browser may send it, as the password of any user. Wrong ones count, too, for the address that they
        come from."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if basic and scheme.lower() == "basic":
            given = _password(token)
        else:
            given = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        caller = keys.caller(given)
        if caller is None:
            self._check_rate(address)
            raise Unauthorised("the API key is missing or wrong; send it as `Authorization: Bearer KEY` or `X-Api-Key: KEY`")
        return caller

    def _check_rate(self, caller: str) -> None:
        if self._rates is not None and (seconds := self._rates.wait(caller)):
            raise TooOften(f"there were too many requests of yours; ask again in {seconds} s", seconds)


def _password(token: str) -> str:
    try:
        return base64.b64decode(token, validate=True).decode("latin-1").partition(":")[2]
    except binascii.Error:
        return ""


def refusal(path: str, error: TriptychError) -> ASGIApp:
    """The answer to what went wrong, in the words of the API that was asked."""
    status = status_of(error)
    headers = {"retry-after": str(error.seconds)} if isinstance(error, TooOften) else headers_of(status)
    if status == 401 and is_page(path):
        headers = {"www-authenticate": 'Basic realm="Triptych: the API key as password"'}
    return told(path, str(error), type(error).__name__, status, headers)


def told(path: str, text: str, code: str, status: int, headers: Mapping[str, str] | None) -> Response:
    """What went wrong as JSON: OpenAI's form below /v1, FastAPI's elsewhere."""
    if path.startswith("/v1/"):
        kind = "invalid_request_error" if status < 500 else "server_error"
        return json_response({"error": {"message": text, "type": kind, "param": None, "code": code}}, status, headers)
    return json_response({"detail": text}, status, headers)
