"""face_embed: raw detections and the encoded photo in, faces with embeddings out; recognition runs over the faces of all requests."""

from collections.abc import Mapping
from functools import partial

from triptych_server.errors import ConfigError
from triptych_server.serving.calling import call_model
from triptych_server.serving.gathered import GatheredModel, Gathering
from triptych_server.serving.gathering import Rows
from triptych_server.serving.instance import Instance
from triptych_server.vision.face_pixels import FacePixels
from triptych_server.vision.face_search import FaceSearch, FoundFaces


class TritonPythonModel(GatheredModel[FoundFaces]):
    """Inputs and outputs are those of FaceSearch's steps."""

    def prepare(self, instance: Instance, parameters: Mapping[str, str]) -> Gathering[FoundFaces]:
        """Read the recogniser's name and batch, D from the dims of `embeddings`, and how to decode."""
        own = dict(parameters)
        model, chunk = own.pop("recognition_model", ""), instance.parameters.integer("recognition_batch", 32)
        own.pop("recognition_batch", None)
        dim = next(tensor.dims[-1] for tensor in instance.outputs if tensor.name == "embeddings")
        if not model or chunk < 1 or dim < 1:
            raise ConfigError(
                f"{instance.model}: expected the parameter recognition_model, recognition_batch of at least 1 and `embeddings` dims"
                f" [ -1, D ]; found {model!r}, {chunk} and {dim}"
            )
        search = FaceSearch(FacePixels.from_parameters(own), dim)
        return Gathering(search, partial(_recognise, model), chunk)


def _recognise(model: str, crops: Rows) -> Rows:
    return call_model(model, {"image": crops}, ["embedding"])["embedding"]
