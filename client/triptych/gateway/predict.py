"""POST /predict, as Immich's server sends it: a form with `entries` and a picture or a text in, what was asked about it out.

Everything about a picture is answered from one decoding: CLIP alone by search_image, faces alone by faces, both by photo.
"""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from triptych.face import Face
from triptych.gateway.answer import detected, json_response, recognised, vector
from triptych.gateway.body import chunks, until_gone
from triptych.gateway.entries import Entries
from triptych.gateway.fleet import Fleet, Models
from triptych.gateway.form import Form, read_form
from triptych.gateway.names import same_model
from triptych.gateway.picture import header_of
from triptych.gateway.refusals import Malformed, Refused
from triptych.gateway.settings import GatewaySettings
from triptych.results import Embedding


async def predict(request: Request) -> Response:
    """The endpoint."""
    settings: GatewaySettings = request.app.state.settings
    body = chunks(request.headers, request.receive, settings.max_upload, settings.timeout)
    form = await read_form(request.headers.get("content-type", ""), body)
    entries = Entries.parse(form.entries)
    asked = Predictor(request.app.state.fleet, settings, request.scope["request_id"])
    return json_response(await until_gone(request.receive, asked.answer(entries, form)))


class Predictor:
    """Answers one request."""

    def __init__(self, fleet: Fleet, settings: GatewaySettings, request_id: str) -> None:
        self._fleet = fleet
        self._max_pixels, self._max_faces = settings.max_pixels, settings.max_faces
        self._id = request_id

    async def answer(self, entries: Entries, form: Form) -> dict[str, Any]:
        """The whole answer. Raises TriptychError."""
        if form.image is not None:
            return await self._about_picture(entries, form.image)
        if not form.text:
            raise Refused("Either image or text must be provided")
        if entries.of_picture:
            raise Malformed("entries asks about a picture, and a text was sent; send the file as the field image")
        return {} if entries.textual is None else {"clip": await self._text(entries.textual, form.text, entries.language)}

    async def _text(self, model: str, text: str, language: str | None) -> str:
        return vector(
            await self._fleet.ask(Models(clip=model), lambda client: client.embed_text(text, language=language, request_id=self._id))
        )

    async def _about_picture(self, entries: Entries, image: bytes) -> dict[str, Any]:
        if entries.textual is not None:
            raise Malformed("entries asks for clip textual, and a picture was sent; send the query as the field text, without image")
        header = await header_of(image, self._max_pixels)
        embedding, faces = await self._found(entries, image)
        answer: dict[str, Any] = {}
        if embedding is not None:
            answer["clip"] = vector(embedding)
        if faces is not None:
            answer["facial-recognition"] = (detected if entries.recognition is None else recognised)(faces, header)
        return {**answer, "imageHeight": header.height, "imageWidth": header.width}

    async def _found(self, entries: Entries, image: bytes) -> tuple[Embedding | None, Sequence[Face] | None]:
        """What is asked about a picture; None for what is not."""
        models, request_id = _models(entries), self._id
        score, most = entries.min_score, self._max_faces
        if models.clip is None and models.faces is None:
            return None, None
        if models.faces is None:
            return await self._fleet.ask(models, lambda client: client.embed_image(image, request_id=request_id)), None
        if models.clip is None:
            return None, await self._fleet.ask(
                models, lambda client: client.faces(image, min_score=score, max_faces=most, request_id=request_id)
            )
        analysis = await self._fleet.ask(
            models, lambda client: client.analyze(image, min_score=score, max_faces=most, request_id=request_id)
        )
        return analysis.embedding, analysis.faces


def _models(entries: Entries) -> Models:
    """What the entries name; detection and recognition are parts of one face model."""
    detection, recognition = entries.detection, entries.recognition
    if detection is not None and recognition is not None and not same_model(detection, recognition):
        raise Malformed(f"detection by {detection!r} and recognition by {recognition!r}: a face model has both; name one and the same")
    return Models(entries.visual, detection)
