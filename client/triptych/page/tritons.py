"""Clients for the page's threads: of whichever Triton behind the gateway is ready and has the least to do."""

import threading
from collections.abc import Mapping

from triptych.client import Client
from triptych.gateway.fleet import Fleet
from triptych.gateway.refusals import NotReady


class Tritons:
    """One client for each Triton, made when it is first wanted; threads share them."""

    def __init__(self, fleet: Fleet, timeout: float, headers: Mapping[str, str], metrics_urls: Mapping[str, str]) -> None:
        self._fleet, self._timeout, self._headers, self._metrics = fleet, timeout, headers, metrics_urls
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}

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
        return self.of(min(ready, key=lambda backend: backend.pending).url)

    def of(self, url: str) -> Client:
        """The client of one, ready or not."""
        with self._lock:
            if url not in self._clients:
                self._clients[url] = Client(url, timeout=self._timeout, headers=self._headers, metrics_url=self._metrics.get(url))
            return self._clients[url]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
