"""Any bytes, as an encoded picture -> its header as the gateway reads it, beside what the models make of the whole file.

Must hold: the gateway refuses what is no picture as InvalidInput, and nothing that the models take; of what both take, they tell the same
upright size, or boxes would lie elsewhere than the faces.
"""

from tests.fuzz.mutations import mutated
from tests.fuzz.target import Target
from tests.fuzz.targets import pictures
from triptych.errors import InvalidInput
from triptych.gateway.picture import Header
from triptych_server.errors import InvalidInputError
from triptych_server.vision.decode import Limits, decode_picture

LIMITS = Limits(pictures.MAX_BYTES, pictures.MAX_PIXELS)


def check(data: bytes) -> None:
    try:
        header = Header.read(data, LIMITS.max_pixels)
    except InvalidInput as error:
        assert not pictures.INSIDE.search(str(error)), str(error)
        header = None
    try:
        picture = decode_picture(data, LIMITS)
    except InvalidInputError:
        return
    assert header is not None, "the gateway refuses what the models take"
    turned = header.orientation >= 5
    size = (header.height, header.width) if turned else (header.width, header.height)
    assert size == picture.orientation.upright_size(picture.width, picture.height), (header, picture)


TARGET = Target(check, pictures.seeds, max_length=8000, mutate=mutated)
