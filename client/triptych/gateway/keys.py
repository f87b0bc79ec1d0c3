"""The API keys: one of the environment, several of a file that is read again when it changes: they are exchanged without a restart."""

import hashlib
import hmac
import logging
import re
import time
from pathlib import Path

from triptych.errors import InvalidInput

LEAST_LENGTH = 16
"""Characters of a key: whoever can ask a thousand times a second must not find one by trying."""
LOOK_SECONDS = 1.0
"""Between two looks at the file; for so long a key that was taken out may still be good."""
_KEY = re.compile(r"[\x21-\x7e]+")
_HASHED = re.compile(r"sha256:([0-9a-f]{64})")
_log = logging.getLogger("triptych.gateway")


class Keys:
    """Of the keys only their SHA-256 is kept. A file has one key a line, in the clear or as `sha256:HEX`; # begins a comment.

    Raises InvalidInput for keys that are none, and for a file without one. Later a file that cannot be read lets nobody in.
    """

    def __init__(self, key: str | None, file: Path | None) -> None:
        self._file = file
        self._given = frozenset() if key is None else frozenset({_digest(key, "the API key")})
        self._state: object = None
        self._looked = time.monotonic()
        self._known = self._given | self._read()
        if not self._known:
            raise InvalidInput(f"the file of API keys {file} has none; expected one a line: openssl rand -hex 32")

    def caller(self, given: str) -> str | None:
        """What a key's owner is known by (never the key), or None. The time that it takes does not tell how much of a key was right."""
        if self._file is not None and time.monotonic() - self._looked > LOOK_SECONDS:
            self._look()
        digest = hashlib.sha256(given.encode("latin-1", "replace")).digest()
        found = [known for known in self._known if hmac.compare_digest(known, digest)]  # all of them, in any case
        return found[0].hex()[:12] if found else None

    def _look(self) -> None:
        self._looked = time.monotonic()
        try:
            if self._stamp() != self._state:
                self._known = self._given | self._read()
                _log.info("the file of API keys was read again: %d keys", len(self._known))
        except InvalidInput as error:
            self._known, self._state = self._given, None
            _log.error("its API keys are not taken any more: %s", error)

    def _read(self) -> frozenset[bytes]:
        if self._file is None:
            return frozenset()
        self._state = self._stamp()
        try:
            lines = self._file.read_text(encoding="ascii").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"the file of API keys {self._file} cannot be read: {getattr(error, 'strerror', 'not ASCII')}") from None
        stripped = ((number, line.partition("#")[0].strip()) for number, line in enumerate(lines, 1))
        return frozenset(_digest(line, f"line {number} of {self._file}") for number, line in stripped if line)

    def _stamp(self) -> object:
        assert self._file is not None
        try:
            state = self._file.stat()
        except OSError as error:
            raise InvalidInput(f"the file of API keys {self._file} cannot be read: {error.strerror}") from None
        return state.st_mtime_ns, state.st_size, state.st_ino


def _digest(key: str, where: str) -> bytes:
    """Raises InvalidInput, which does not show the key."""
    if hashed := _HASHED.fullmatch(key):
        return bytes.fromhex(hashed[1])
    if len(key) < LEAST_LENGTH or not _KEY.fullmatch(key) or key.startswith("sha256:"):
        raise InvalidInput(
            f"{where} is no API key: expected {LEAST_LENGTH} or more characters of ASCII without spaces: openssl rand -hex 32"
        )
    return hashlib.sha256(key.encode()).digest()
