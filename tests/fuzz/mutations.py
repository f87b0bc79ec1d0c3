"""A picture -> a broken one: changes that keep enough of the file's frame to reach the code behind its header."""

import struct
import zlib
from collections.abc import Callable
from random import Random

_PNG = b"\x89PNG\r\n\x1a\n"
_EDGES = (0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 254, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
_HEAD = 400  # most of what a decoder believes stands here


def mutated(data: bytes, random: Random) -> bytes:
    """One to four changes of `data`; of a PNG, the checksums are mostly set right again, or nothing behind them would be read."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        data = random.choice(_CHANGES)(data, random)
    return png_checksums(data) if data.startswith(_PNG) and random.random() < 0.8 else data


def png_checksums(data: bytes) -> bytes:
    """A PNG with the checksum that each of its chunks should have, as far as chunks can be told apart."""
    made, at = bytearray(data), len(_PNG)
    while at + 12 <= len(made):
        end = at + 8 + struct.unpack_from(">I", made, at)[0]
        if end + 4 > len(made):
            break
        struct.pack_into(">I", made, end, zlib.crc32(made[at + 4 : end]))
        at = end + 4
    return bytes(made)


def _flip(data: bytes, random: Random) -> bytes:
    made = bytearray(data)
    for _ in range(random.randint(1, 8)):
        if made:
            made[_place(made, random)] ^= 1 << random.randrange(8)
    return bytes(made)


def _edge(data: bytes, random: Random) -> bytes:
    """A number that decoders stumble over, in one, two or four bytes of either order."""
    size, order = random.choice((1, 2, 4)), random.choice(("big", "little"))
    value = random.choice(_EDGES) % 256**size
    at = _place(data, random)
    return data[:at] + value.to_bytes(size, order) + data[at + size :]  # type: ignore[arg-type]


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.randint(0, len(data))]


def _remove(data: bytes, random: Random) -> bytes:
    at = _place(data, random)
    return data[:at] + data[at + random.randint(1, 64) :]


def _insert(data: bytes, random: Random) -> bytes:
    at = _place(data, random)
    return data[:at] + random.randbytes(random.randint(1, 64)) + data[at:]


def _repeat(data: bytes, random: Random) -> bytes:
    at, length = _place(data, random), random.randint(1, 2000)
    return data[:at] + data[at : at + length] * random.randint(2, 5) + data[at + length :]


def _swap(data: bytes, random: Random) -> bytes:
    a, b = sorted((_place(data, random), _place(data, random)))
    length = random.randint(1, 200)
    return data[:a] + data[b : b + length] + data[a + length : b] + data[a : a + length] + data[b + length :]


def _noise(data: bytes, random: Random) -> bytes:
    at, length = _place(data, random), random.randint(1, 500)
    return data[:at] + random.randbytes(min(length, len(data) - at)) + data[at + length :]


def _place(data: bytes | bytearray, random: Random) -> int:
    """Somewhere, mostly near the beginning."""
    return random.randrange(max(1, min(len(data), _HEAD if random.random() < 0.7 else len(data))))


_CHANGES: tuple[Callable[[bytes, Random], bytes], ...] = (_flip, _edge, _edge, _cut, _remove, _insert, _repeat, _swap, _noise)
