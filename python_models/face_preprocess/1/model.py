"""face_preprocess: encoded photos in, the face detector's square of pixels out; and the options of the request, checked."""

from collections.abc import Mapping

import numpy as np

from triptych_server.serving.instance import Instance
from triptych_server.serving.mapped import Answer, MappedModel
from triptych_server.sessions.protocol import Arrays
from triptych_server.vision.face_options import FaceOptions
from triptych_server.vision.face_pixels import FacePixels


class TritonPythonModel(MappedModel):
    """`image` STRING [B,1], optional `min_score` FP32 [B,1] and `max_faces` INT32 [B,1] -> `pixels` UINT8 [B,640,640,3],
    `size` and `frame` INT32 [B,2], `options` FP32 [B,2]."""

    def prepare(self, instance: Instance, parameters: Mapping[str, str]) -> Answer:
        """Read how to decode from the model's parameters."""
        face_pixels = FacePixels.from_parameters(parameters)

        def answer(inputs: Arrays) -> Arrays:
            images = inputs["image"][:, 0]
            options = [FaceOptions.from_inputs(inputs, row).tensor for row in range(len(images))]
            squares, sizes = zip(*map(face_pixels.square, images), strict=True)
            size = np.stack(sizes)
            return {"pixels": np.stack(squares), "size": size, "frame": size, "options": np.stack(options)}

        return answer
