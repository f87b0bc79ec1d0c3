"""Any bytes, as an encoded picture -> the squares of CLIP and of the face detector, and aligned crops.

Must hold: all transforms take a picture or none does; one that is not taken gets a sentence that shows nothing of the inside; one that is
taken becomes uint8 of the right shape, whatever its own size.
"""

import numpy as np

from tests.fuzz.mutations import mutated
from tests.fuzz.target import Target
from tests.support.bad_images import INSIDE, bad_images, odd_but_good
from tests.support.drawn import ENCODINGS, encode, picture
from triptych_server.errors import ImageTooLargeError, InvalidImageError
from triptych_server.vision.alignment import TEMPLATE
from triptych_server.vision.clip_transform import ClipTransform
from triptych_server.vision.face_pixels import FacePixels
from triptych_server.vision.photo_pixels import PhotoPixels

MAX_PIXELS, MAX_BYTES = 1_000_000, 200_000
LIMITS = {"max_pixels": MAX_PIXELS, "max_bytes": MAX_BYTES}
SIZE = 32
CLIP = ClipTransform(SIZE, **LIMITS)
EXACT = ClipTransform(SIZE, "squash", "bilinear", "exact", **LIMITS)
FACES = FacePixels(**LIMITS)
PHOTO = PhotoPixels(CLIP)
LANDMARKS = np.array([TEMPLATE], np.float32)


def check(data: bytes) -> None:
    taken = {
        "clip": _shape(lambda: CLIP(data), (SIZE, SIZE, 3)),
        "exact": _shape(lambda: EXACT(data), (SIZE, SIZE, 3)),
        "faces": _shape(lambda: FACES.square(data)[0], (640, 640, 3)),
        "crops": _shape(lambda: FACES.crops(data, LANDMARKS), (1, 112, 112, 3)),
        "photo": _shape(lambda: PHOTO(data).faces, (640, 640, 3)),
    }
    assert len(set(taken.values())) == 1, taken


def _shape(transform, shape) -> bool:
    try:
        pixels = transform()
    except (InvalidImageError, ImageTooLargeError) as error:
        assert not INSIDE.search(str(error)), str(error)
        return False
    assert (pixels.dtype, pixels.shape, pixels.flags.c_contiguous) == (np.uint8, shape, True), (pixels.dtype, pixels.shape)
    return True


def seeds() -> list[bytes]:
    modes = [
        encode(picture(40, 30, mode), kind)
        for mode, kind in (("L", "jpeg"), ("CMYK", "jpeg"), ("RGBA", "png"), ("P", "png"), ("1", "tiff"))
    ]
    sound = [encode(picture(40, 30), kind) for kind in ENCODINGS]
    odd = [data for _, data in odd_but_good()] + [case.data for case in bad_images()]
    return [*sound, *modes, *(data for data in odd if len(data) <= TARGET.max_length)]


TARGET = Target(check, seeds, max_length=8000, mutate=mutated)
