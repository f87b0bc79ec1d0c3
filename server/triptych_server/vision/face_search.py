"""One photo's raw detections and encoded bytes -> its faces with their embeddings: the three steps between detector and recogniser."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from triptych_server.errors import InvalidInputError
from triptych_server.sessions.protocol import Arrays
from triptych_server.vision.detections import Detections, find_faces
from triptych_server.vision.face_options import FaceOptions
from triptych_server.vision.face_pixels import FacePixels
from triptych_server.vision.letterbox import Letterbox


@dataclass(frozen=True, slots=True, eq=False)
class FoundFaces:
    """At least one face, in pixels of the upright photo, the encoded photo, and what is handed on with the answer."""

    faces: Detections
    image: bytes
    handed_on: Arrays = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FaceSearch:
    """`dim` is the recogniser's D. Tensors have a batch axis of 1, as Triton's requests have."""

    pixels: FacePixels
    dim: int

    def take(self, inputs: Arrays) -> FoundFaces | Arrays:
        """The faces of a request, or the whole answer where there are none. Raises InvalidInputError.

        `image` STRING [1,1], `frame` INT32 [1,2] (width, height) and `options` FP32 [1,2] are face_preprocess'; `boxes` FP32 [1,A,4],
        `scores` [1,A] and `landmarks` [1,A,5,2] the detector's, in its square. `pixels`, if there, are in the answer as they came.
        """
        if len(inputs["image"]) != 1:
            raise InvalidInputError(f"This request holds {len(inputs['image'])} photos; send one, for each has its own number of faces.")
        anchors = Detections(inputs["boxes"][0], inputs["scores"][0], inputs["landmarks"][0])
        if not len(anchors.boxes) == len(anchors) == len(anchors.landmarks) or inputs["frame"].min() < 1:
            raise InvalidInputError("boxes, scores and landmarks must be of as many anchors each, and frame the size of a photo.")
        options = FaceOptions.from_tensor(inputs["options"][0])
        found = find_faces(anchors, options.min_score, options.max_faces)
        place = Letterbox(*inputs["frame"][0].tolist())
        boxes = place.to_photo(found.boxes.reshape(-1, 2, 2)).reshape(-1, 4)
        faces = Detections(boxes, found.scores, place.to_photo(found.landmarks))
        handed_on = {"pixels": inputs["pixels"].copy()} if "pixels" in inputs else {}
        if not len(faces):
            return {**_outputs(faces, np.empty((0, self.dim), np.float32)), **handed_on}
        return FoundFaces(faces, bytes(inputs["image"][0, 0]), handed_on)

    def rows(self, item: FoundFaces) -> NDArray[np.uint8]:
        """Aligned crops uint8 [N,112,112,3]. Raises InvalidImageError or ImageTooLargeError."""
        return self.pixels.crops(item.image, item.faces.landmarks)

    def answer(self, item: FoundFaces, answers: NDArray[np.float32]) -> Arrays:
        """`boxes` [1,N,4], `landmarks` [1,N,5,2], `scores` [1,N], `embeddings` [1,N,D]; `pixels` where they came in."""
        return {**_outputs(item.faces, answers), **item.handed_on}


def _outputs(faces: Detections, embeddings: NDArray[np.float32]) -> Arrays:
    return {
        "boxes": faces.boxes[None],
        "landmarks": faces.landmarks[None],
        "scores": faces.scores[None],
        "embeddings": np.ascontiguousarray(embeddings)[None],
    }
