"""Clients for the page's threads: of whichever Triton behind the gateway is ready and has the least to do."""

import threading
from collections.abc import Mapping

from triptych.client import Client
from triptych.gateway.fleet import Fleet
from triptych.gateway.refusals import NotReady
from triptych.gateway.settings import GatewaySettings
from triptych.page.settings import PageSettings
from triptych.status import ServerStatus


class Tritons:
    """A client for each Triton, made when it is first wanted; threads share them."""

    def __init__(self, fleet: Fleet, timeout: float, gateway: GatewaySettings, page: PageSettings) -> None:
        self._fleet, self._timeout, self._gateway, self._page = fleet, timeout, gateway, page
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, bool], Client] = {}

    @property
    def urls(self) -> list[str]:
        """Addresses of all."""
        return [backend.url for backend in self._fleet.backends]

    @property
    def ready(self) -> bool:
        """Whether one is."""
        return bool(self._fleet.ready)

    def client(self) -> Client:
        """Raises NotReady when no Triton is."""
        ready = self._fleet.ready
        if not ready:
            raise NotReady("no Triton is ready: " + "; ".join(f"{backend.url}: {backend.reason}" for backend in self._fleet.backends))
        return self._of(min(ready, key=lambda backend: backend.pending).url, {})

    def status(self, url: str, timeout: float) -> ServerStatus:
        """What every model of one is doing, be it ready or not; the key of its list is sent with this alone."""
        return self._of(url, self._page.control_headers.get(url, {})).server_status(timeout=timeout)

    def _of(self, url: str, more: Mapping[str, str]) -> Client:
        with self._lock:
            key = (url, bool(more))
            if key not in self._clients:
                headers, metrics = {**self._gateway.headers, **more}, self._page.metrics_urls.get(url)
                self._clients[key] = Client(url, timeout=self._timeout, headers=headers, tls=self._gateway.tls, metrics_url=metrics)
            return self._clients[key]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
