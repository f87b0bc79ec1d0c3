"""Any numbers, as a detector's answer and a request's options -> faces in photo pixels, their crops, and the answer.

Must hold: InvalidInputError at most; faces are finite, as many in every tensor, at least as sure as asked for, the surest first, no more
than asked for; the crops are uint8 [N,112,112,3].
"""

import struct

import numpy as np

from tests.fuzz.target import Target
from tests.support.drawn import encode, picture
from triptych_server.errors import InvalidInputError
from triptych_server.vision.detections import MAX_FACES
from triptych_server.vision.face_pixels import FacePixels
from triptych_server.vision.face_search import FaceSearch, FoundFaces

DIM = 4
SEARCH = FaceSearch(FacePixels(), DIM)
PHOTO = encode(picture(40, 30), "jpeg")
HEAD = struct.Struct("<iiff")  # frame, min_score, max_faces
NUMBERS = 15  # of one anchor: a box, a score, five landmarks


def check(data: bytes) -> None:
    if len(data) < HEAD.size:
        return
    width, height, min_score, max_faces = HEAD.unpack_from(data)
    body = data[HEAD.size : len(data) - (len(data) - HEAD.size) % (4 * NUMBERS)]
    anchors = np.frombuffer(body, "<f4").reshape(1, -1, NUMBERS)
    inputs = {
        "image": np.array([[PHOTO]], object),
        "frame": np.array([[width, height]], np.int32),
        "options": np.array([[min_score, max_faces]], np.float32),
        "boxes": anchors[..., :4],
        "scores": anchors[..., 4],
        "landmarks": anchors[..., 5:].reshape(1, -1, 5, 2),
    }
    try:
        found = SEARCH.take(inputs)
        if isinstance(found, FoundFaces):
            crops = SEARCH.rows(found)
            assert (crops.dtype, crops.shape) == (np.uint8, (len(found.faces), 112, 112, 3)), crops.shape
            found = SEARCH.answer(found, np.zeros((len(crops), DIM), np.float32))
    except InvalidInputError:
        return
    count = found["scores"].shape[1]
    shapes = {"boxes": (1, count, 4), "scores": (1, count), "landmarks": (1, count, 5, 2), "embeddings": (1, count, DIM)}
    assert {name: tensor.shape for name, tensor in found.items()} == shapes
    assert all(tensor.dtype == np.float32 and np.isfinite(tensor).all() for tensor in found.values())
    assert count <= (int(max_faces) or MAX_FACES)
    assert (found["scores"] >= np.float32(min_score)).all()
    assert (np.diff(found["scores"]) <= 0).all()


def seeds() -> list[bytes]:
    generator = np.random.default_rng(3)
    made = []
    for count, width, height in ((0, 40, 30), (1, 40, 30), (3, 4000, 3000), (8, 1, 9000)):
        corner = generator.uniform(0, 400, (count, 2))
        points = corner[:, None] + generator.uniform(10, 90, (count, 5, 2))
        rows = np.hstack([corner, corner + 100, generator.uniform(0.4, 1, (count, 1)), points.reshape(count, 10)]).astype("<f4")
        made.append(HEAD.pack(width, height, 0.5, 0) + rows.tobytes())
    return [*made, made[2][: HEAD.size] + bytes(4 * NUMBERS), HEAD.pack(40, 30, 0.0, 2.0) + b"\xff" * 4 * NUMBERS]


TARGET = Target(check, seeds, max_length=HEAD.size + 4 * NUMBERS * 24)
