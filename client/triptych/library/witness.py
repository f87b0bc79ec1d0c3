"""Which models made a library: it keeps three things (a text, a drawing, a photo with a face) and what the models said of them.

Asked again, the same models say nearly the same, and others something else, whatever they are called and wherever they run.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from triptych.client import Client
from triptych.library.errors import ModelChanged
from triptych.library.store import Store
from triptych.results import Analysis, Embedding

TEXT = "a photo of a garden in the afternoon"
_SAME = 0.95  # cosine: other hardware and precisions stay above 0.99, other models are near 0
_SIDE = 256  # pixels of the drawing
_FACE_SIDE = 1024  # of the photo that is kept
_CURE = (
    "the library keeps what it has; `triptych index --anew` makes it anew with this model (names of people stay), "
    "or serve the model of before"
)


@dataclass(frozen=True, slots=True)
class Witnesses:
    """The three of one store."""

    store: Store

    def check_text(self, said: Embedding) -> None:
        """`said`: what the server's text model makes of TEXT. Raises ModelChanged."""
        self._check("text", said, "search_text")

    def check(self, client: Client) -> None:
        """Ask the server about all that is kept, and keep what is not yet. Raises ModelChanged."""
        drawing = _drawing()
        answer = client.analyze(drawing, faces=False).embedding
        assert answer is not None  # it was asked for
        text = client.embed_text(TEXT)
        self._check("photo", answer, "search_image")
        self._check("text", text, "search_text")
        kept = self.store.value("SELECT picture FROM witness WHERE kind = 'face'")
        if kept is not None:
            faces = client.faces(kept, max_faces=1)
            self._check("face", faces[0].embedding if faces else np.zeros(1, np.float32), "faces")
        with self.store.writing() as connection:
            for kind, vector in (("photo", answer), ("text", text)):
                connection.execute("INSERT OR IGNORE INTO witness VALUES (?, NULL, ?)", (kind, vector.astype("<f4").tobytes()))

    def keep_face(self, client: Client, picture: Image.Image, analysis: Analysis) -> None:
        """Keep a small copy of the first photo with a face, with what the model says of it. None is kept when it finds no face there."""
        if not analysis.faces or self.store.value("SELECT 1 FROM witness WHERE kind = 'face'"):
            return
        picture.thumbnail((_FACE_SIDE, _FACE_SIDE))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=90)
        faces = client.faces(buffer.getvalue(), max_faces=1)
        if faces:
            values = (buffer.getvalue(), faces[0].embedding.astype("<f4").tobytes())
            with self.store.writing() as connection:
                connection.execute("INSERT OR IGNORE INTO witness VALUES ('face', ?, ?)", values)

    def forget(self) -> None:
        with self.store.writing() as connection:
            connection.execute("DELETE FROM witness")

    def _check(self, kind: str, said: Embedding, model: str) -> None:
        blob = self.store.value("SELECT vector FROM witness WHERE kind = ?", (kind,))
        if blob is None:
            return
        kept = np.frombuffer(blob, "<f4")
        if kept.shape != said.shape or float(kept @ said) < _SAME:
            found = f"cosine {float(kept @ said):.2f}" if kept.shape == said.shape else f"{len(said)} numbers, not {len(kept)}"
            raise ModelChanged(f"{model!r} is served by another model than the one that made this library ({found}); {_CURE}")


def _drawing() -> bytes:
    """The same pixels everywhere and always: PNG of a smooth, asymmetric pattern."""
    y, x = np.mgrid[0:_SIDE, 0:_SIDE]
    pixels = np.stack([x, y, (x * y) // _SIDE], axis=-1).astype(np.uint8)
    pixels[40:120, 60:160] = (200, 40, 30)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
