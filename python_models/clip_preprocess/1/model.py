"""clip_preprocess: encoded pictures in, CLIP's square of pixels and the size out."""

from collections.abc import Mapping

import numpy as np

from triptych_server.serving.instance import Instance
from triptych_server.serving.mapped import Answer, MappedModel
from triptych_server.sessions.protocol import Arrays
from triptych_server.vision.clip_transform import ClipTransform
from triptych_server.vision.face_pixels import upright_size


class TritonPythonModel(MappedModel):
    """`image` STRING [B,1] -> `pixels` UINT8 [B,S,S,3] and `size` INT32 [B,2], of the upright picture."""

    def prepare(self, instance: Instance, parameters: Mapping[str, str]) -> Answer:
        """Read the transform from the model's parameters."""
        transform = ClipTransform.from_parameters(parameters)

        def answer(inputs: Arrays) -> Arrays:
            pictures = [transform.decoded(data) for data in inputs["image"][:, 0]]
            return {
                "pixels": np.stack([transform.of(each) for each in pictures]),
                "size": np.stack([upright_size(each) for each in pictures]),
            }

        return answer
