"""clip_preprocess: encoded pictures in, CLIP's square of pixels out."""

import numpy as np
from triptych_server.vision.clip_transform import ClipTransform

from triptych_server.serving.instance import Instance
from triptych_server.serving.mapped import Answer, MappedModel
from triptych_server.sessions.protocol import Arrays


class TritonPythonModel(MappedModel):
    """`image` STRING [B,1] -> `pixels` UINT8 [B,S,S,3]."""

    def prepare(self, instance: Instance) -> Answer:
        """Read the transform from the model's parameters."""
        transform = ClipTransform.from_parameters(instance.parameters.values)

        def answer(inputs: Arrays) -> Arrays:
            return {"pixels": np.stack([transform(data) for data in inputs["image"][:, 0]])}

        return answer
