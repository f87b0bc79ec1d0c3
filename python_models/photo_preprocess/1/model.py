"""photo_preprocess: encoded photos in; CLIP's square and the face detector's out, from one decoding."""

from collections.abc import Mapping

import numpy as np

from triptych_server.serving.instance import Instance
from triptych_server.serving.mapped import Answer, MappedModel
from triptych_server.sessions.protocol import Arrays
from triptych_server.vision.face_options import FaceOptions
from triptych_server.vision.photo_pixels import PhotoPixels


class TritonPythonModel(MappedModel):
    """`image` STRING [B,1], optional `min_score` FP32 [B,1] and `max_faces` INT32 [B,1] -> `pixels` UINT8 [B,S,S,3],
    `letterbox` UINT8 [B,640,640,3], `size` and `frame` INT32 [B,2], `options` FP32 [B,2]."""

    def prepare(self, instance: Instance, parameters: Mapping[str, str]) -> Answer:
        """Read CLIP's transform, and how to decode, from the model's parameters."""
        photo_pixels = PhotoPixels.from_parameters(parameters)

        def answer(inputs: Arrays) -> Arrays:
            images = inputs["image"][:, 0]
            options = [FaceOptions.from_inputs(inputs, row).tensor for row in range(len(images))]
            clip, faces, sizes = zip(*map(photo_pixels, images), strict=True)
            return {
                "pixels": np.stack(clip),
                "letterbox": np.stack(faces),
                "size": np.stack(sizes),
                "frame": np.stack(sizes),
                "options": np.stack(options),
            }

        return answer
