"""The corpus the benchmark sends: real photos where there are some, else drawn ones -> 1440 px JPEGs of quality 80.

1440 px at quality 80 is what Immich's preview files are, and those are what its smart search embeds.
"""

import hashlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from triptych_server.errors import ConfigError

LONG_SIDE = 1440
QUALITY = 80
MOST = 48  # more would be held in memory by each process that sends them
MINIMUM = 12  # fewer would let caches and one odd picture speak for all


@dataclass(frozen=True, slots=True)
class Corpus:
    """Encoded pictures, all different; `source` says where they came from."""

    source: str
    jpegs: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if len(set(self.jpegs)) < MINIMUM:
            raise ValueError(f"{len(set(self.jpegs))} different photos found, at least {MINIMUM} are needed")

    @property
    def mean_bytes(self) -> float:
        """Mean size of a file in bytes."""
        return sum(map(len, self.jpegs)) / len(self.jpegs)

    @property
    def digest(self) -> str:
        """Names the corpus in a report: equal digests, equal bytes."""
        return hashlib.sha256(b"".join(hashlib.sha256(j).digest() for j in self.jpegs)).hexdigest()[:12]

    def write(self, folder: Path) -> None:
        """Put the files into an existing, empty folder, for a process of its own to read."""
        for i, jpeg in enumerate(self.jpegs):
            (folder / f"{i:03}.jpg").write_bytes(jpeg)


def load_corpus(photos: Path | None) -> Corpus:
    """The real photos of a folder (`variant_*`, which are the same motifs in odd formats, left out), else drawn ones."""
    paths = sorted(p for p in photos.glob("*.jpg") if not p.name.startswith("variant_")) if photos else []
    if len(paths) >= MINIMUM:
        return Corpus("real photos", tuple(encode(Image.open(path)) for path in paths))
    return Corpus("drawn pictures", tuple(encode(drawn_picture(seed)) for seed in range(MINIMUM)))


def own_corpus(folder: Path) -> Corpus:
    """The JPEGs of a folder, MOST of them at most, as previews. ConfigError when there are too few, instead of drawing some."""
    paths = _jpegs(folder)
    if len(paths) < MINIMUM:
        raise ConfigError(f"{folder} holds {len(paths)} JPEGs, expected at least {MINIMUM}; without a folder, pictures are drawn")
    return Corpus("photos of a folder, as previews of 1440 px", tuple(encode(Image.open(path)) for path in paths[:MOST]))


def own_photos(folder: Path) -> tuple[bytes, ...]:
    """The JPEGs of a folder as they are, MOST of them at most. ConfigError when there is none, instead of drawing some."""
    paths = _jpegs(folder)
    if not paths:
        raise ConfigError(f"{folder} holds no JPEGs; expected a folder of photos, or none: then pictures are drawn")
    return tuple(path.read_bytes() for path in paths[:MOST])


def _jpegs(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; expected one that holds JPEGs")
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in {".jpg", ".jpeg"})


def encode(picture: Image.Image) -> bytes:
    """Any picture -> JPEG bytes, RGB, long side 1440 px, quality 80, 4:2:0 as previews are."""
    scale = LONG_SIDE / max(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    out = BytesIO()
    picture.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def drawn_picture(seed: int) -> Image.Image:
    """A seeded 1440 x 1080 field of coloured noise, as costly to decode as a photo of that size (about 280 kB).

    Photos have amplitudes that fall about as 1/frequency; 1.35 gives the file sizes that previews have.
    """
    height, width = 1080, LONG_SIDE
    random = np.random.default_rng(seed)
    falloff = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]) ** 1.35
    falloff[0, 0] = np.inf  # no constant part: the mean is set below
    shared = _noise(random, falloff)  # the channels of a photo move together: mostly luma, some chroma
    planes = [0.9 * shared + 0.3 * _noise(random, falloff) for _ in range(3)]
    pixels = np.stack(planes, axis=-1)
    pixels = 128 + 48 * pixels / pixels.std()
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _noise(random: np.random.Generator, falloff: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """White noise divided by `falloff` [H, W/2+1] in the frequency domain -> [H,W], standard deviation 1."""
    height, width = falloff.shape[0], 2 * (falloff.shape[1] - 1)
    spectrum = np.fft.rfft2(random.standard_normal((height, width))) / falloff
    field = np.fft.irfft2(spectrum, s=(height, width))
    scaled: npt.NDArray[np.float64] = field / field.std()
    return scaled
