"""clip_preprocess: encoded pictures in, CLIP's square of pixels out."""

from collections.abc import Mapping

import numpy as np

from triptych_server.serving.instance import Instance
from triptych_server.serving.mapped import Answer, MappedModel
from triptych_server.sessions.protocol import Arrays
from triptych_server.vision.clip_transform import ClipTransform


class TritonPythonModel(MappedModel):
    """`image` STRING [B,1] -> `pixels` UINT8 [B,S,S,3]."""

    def prepare(self, instance: Instance, parameters: Mapping[str, str]) -> Answer:
        """Read the transform from the model's parameters."""
        transform = ClipTransform.from_parameters(parameters)

        def answer(inputs: Arrays) -> Arrays:
            return {"pixels": np.stack([transform(data) for data in inputs["image"][:, 0]])}

        return answer
