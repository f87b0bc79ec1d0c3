"""What was mended, counted, and the page that shows it: `triptych_heals_total` for Prometheus, and whether the server is ready."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from triptych_server.engine.trouble import Trouble

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Heals:
    """Any thread may count and read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self.ready = True

    def count(self, trouble: Trouble, *, mended: bool) -> None:
        """An attempt to mend has ended."""
        with self._lock:
            self._counts["heals" if mended else "failed_heals", trouble.model, trouble.reason.value] += 1

    def total(self, model: str | None = None) -> int:
        """What was mended: of one model, of the server (""), or in all."""
        with self._lock:
            return sum(count for (kind, of, _), count in self._counts.items() if kind == "heals" and model in (None, of))

    def page(self) -> str:
        """In Prometheus' text format; `model` is empty where the whole server was started anew."""
        with self._lock:
            counts = sorted(self._counts.items())
        lines = ["# HELP triptych_ready Whether every model is loaded and nothing is being mended", "# TYPE triptych_ready gauge"]
        lines.append(f"triptych_ready {int(self.ready)}")
        for kind, text in (("heals", "Troubles that were mended"), ("failed_heals", "Attempts to mend that failed")):
            lines += [f"# HELP triptych_{kind}_total {text}", f"# TYPE triptych_{kind}_total counter"]
            lines += [
                f'triptych_{of}_total{{model="{model}",reason="{reason}"}} {count}' for (of, model, reason), count in counts if of == kind
            ]
        return "\n".join(lines) + "\n"


@contextlib.contextmanager
def shown(heals: Heals, host: str, port: int, more: Callable[[], str] = str) -> Iterator[int]:
    """Serve `/metrics` and `/health/ready` (503 while something is being mended) inside the block; gives the port. OSError when that
    is taken. `more` is shown below; nothing is where it raises OSError."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    page = heals.page()
                    with contextlib.suppress(OSError):
                        page += more()
                    self._answer(HTTPStatus.OK, page)
                case "/health/ready":
                    self._answer(
                        HTTPStatus.OK if heals.ready else HTTPStatus.SERVICE_UNAVAILABLE, f"{'' if heals.ready else 'not '}ready\n"
                    )
                case _:
                    self._answer(HTTPStatus.NOT_FOUND, "there are /metrics and /health/ready\n")

        def _answer(self, status: HTTPStatus, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", _TEXT)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: it is asked every few seconds."""

    Page.timeout = 10  # of a caller who says nothing
    with ThreadingHTTPServer((host, port), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="heals-page", daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
