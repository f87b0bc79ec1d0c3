"""What `triptych gateway` is set up with, checked once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from triptych.endpoint import DEFAULT_URL, Endpoint
from triptych.errors import InvalidInput
from triptych.tls import TLS

PORT = 3003
"""Where photo servers look for it."""


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """`tritons`: URLs. `max_upload`: bytes of a request; `max_pixels`: of a picture; `max_in_flight`: requests at a time, of which each
    may hold `max_upload` in memory. `timeout`: seconds for a request to arrive, and again for its answer. `names`: of the served `clip` and
    `faces`, where they were imported without one.

    `api_key`, `api_keys_file`: who may ask (keys.py); anybody without. `rate`: requests per second of one caller, in bursts of `burst` at
    most; 0: no limit. `max_faces`: of one picture, the surest. `tls`: what the Tritons are asked with. Raises InvalidInput.
    """

    tritons: tuple[str, ...] = (DEFAULT_URL,)
    max_upload: int = 64 << 20  # as the models' own max_bytes
    max_pixels: int = 100_000_000  # as theirs
    max_in_flight: int = 64  # half of what the models' queues hold
    timeout: float = 120.0  # Immich's server would wait for 300 s
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    names: Mapping[str, str] = field(default_factory=dict)
    api_keys_file: Path | None = None
    rate: float = 0.0
    burst: int = 20
    max_faces: int = 1000  # more than a detector finds in any photo; a made-up picture may have more
    tls: TLS | None = None

    @property
    def is_keyed(self) -> bool:
        """Whether callers must show a key."""
        return self.api_key is not None or self.api_keys_file is not None

    def __post_init__(self) -> None:
        if not self.tritons:
            raise InvalidInput("the gateway has no Triton to ask; name one, such as grpc://127.0.0.1:8001")
        addresses = [str(Endpoint.parse(url)) for url in self.tritons]
        if len(set(addresses)) != len(addresses):
            raise InvalidInput(f"a Triton is named twice: {', '.join(addresses)}")
        for name in ("max_upload", "max_pixels", "max_in_flight", "timeout", "burst", "max_faces"):
            if not (value := getattr(self, name)) > 0:
                raise InvalidInput(f"{name} is {value}; expected a number above 0")
        if not (0 <= self.rate < math.inf):
            raise InvalidInput(f"rate is {self.rate}; expected requests per second, or 0 for no limit")
