"""What an analysis shall contain -> the outputs to ask for, so that the server leaves out the work for all others."""

from dataclasses import dataclass

from triptych.calls import EMBEDDING, FACES, SIZE
from triptych.errors import InvalidInput
from triptych.face_options import FaceOptions


@dataclass(frozen=True, slots=True)
class Wanted:
    """Raises InvalidInput when nothing is wanted, and for options of faces that are not."""

    embedding: bool
    faces: bool
    options: FaceOptions

    def __post_init__(self) -> None:
        if not (self.embedding or self.faces):
            raise InvalidInput("nothing is asked about the picture: let embedding or faces be True")
        if self.options.given and not self.faces:
            raise InvalidInput("min_score and max_faces are about faces, and faces=False leaves those out")

    @property
    def outputs(self) -> tuple[str, ...]:
        return EMBEDDING * self.embedding + FACES * self.faces + SIZE
