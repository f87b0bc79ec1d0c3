"""A picture, turned as its EXIF says."""

from PIL import Image

_ORIENTATION = 0x0112
_TURN = Image.Transpose
_TURNS = {
    2: _TURN.FLIP_LEFT_RIGHT,
    3: _TURN.ROTATE_180,
    4: _TURN.FLIP_TOP_BOTTOM,
    5: _TURN.TRANSPOSE,
    6: _TURN.ROTATE_270,
    7: _TURN.TRANSVERSE,
    8: _TURN.ROTATE_90,
}


def upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says; damaged metadata turns nothing, as with the server. Pillow's own way writes all of the EXIF anew, and
    raises where it cannot."""
    image.load()  # before EXIF is read: a TIFF is turned here, a PNG may carry its EXIF at the end
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return image
    return image if turn is None else image.transpose(turn)
