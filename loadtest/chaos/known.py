"""What is asked, and the answer that each question had on a server at rest: a later one that differs is wrong, or another question's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.faces.album import draw_people_album
from loadtest.questions import Asker, Fate, Question
from triptych_server.benchmark.photos import drawn_picture

Answer = Mapping[str, NDArray[Any]]
ABOUT_PHOTOS: Mapping[str, tuple[str, ...]] = {
    "search_image": ("embedding",),
    "faces": ("boxes", "landmarks", "scores", "embeddings"),
    "photo": ("embedding", "boxes", "landmarks", "scores", "embeddings", "size"),
}
TEXTS = ("a red square", "a dog at the lake", "people on a bridge", "snow at night")
TOLERANCES: Mapping[str, float] = {"boxes": 2.0, "landmarks": 2.0, "size": 0.0}
"""By output, what batches and other runtimes may change: pixels of a photo."""
TOLERANCE = 0.03
"""Of all other outputs: scores and unit-length embeddings, also between float32 and bfloat16."""


@dataclass(frozen=True, slots=True)
class Known:
    """Questions with their answers, by name; no two of one model have the same answer."""

    questions: tuple[Question, ...]
    answers: Mapping[str, Answer]

    def __post_init__(self) -> None:
        for first in self.questions:
            for second in self.questions:
                same = first.model == second.model and first.name != second.name
                if same and agree(self.answers[first.name], self.answers[second.name]):
                    raise ValueError(f"{first.name} and {second.name} have the same answer: a mix-up would not show")

    @property
    def models(self) -> frozenset[str]:
        """Those that are asked."""
        return frozenset(question.model for question in self.questions)

    def is_right(self, name: str, answer: Answer) -> bool:
        """Whether this is the answer to that question."""
        return agree(answer, self.answers[name])


def agree(one: Answer, other: Answer) -> bool:
    """Whether two answers say the same."""
    if one.keys() != other.keys():
        return False
    return all(
        one[name].shape == other[name].shape and np.allclose(one[name], other[name], rtol=0, atol=TOLERANCES.get(name, TOLERANCE))
        for name in one
    )


def questions(folder: Path, photos: int = 3) -> list[Question]:
    """About drawn people (in `folder`, which may be empty), a picture of noise and some texts, for all that is served."""
    drawn = [path.read_bytes() for path in draw_people_album(folder, count=photos)]
    noise = BytesIO()
    drawn_picture(7).resize((640, 480)).save(noise, "JPEG")
    encoded = [*drawn, noise.getvalue()]
    about = [
        Question.about_photo(f"{model} {number}", photo, model, outputs)
        for model, outputs in ABOUT_PHOTOS.items()
        for number, photo in enumerate(encoded)
    ]
    return [*about, *(Question.about_text(text) for text in TEXTS)]


async def learn(address: str, asked: Sequence[Question]) -> Known:
    """Ask each question once, one after the other; RuntimeError when one is not answered."""
    answers = {}
    async with Asker(address) as asker:
        for question in asked:
            reply = await asker.ask(question)
            if reply.fate is not Fate.ANSWERED:
                raise RuntimeError(f"{question.name} was not answered by a server at rest: {reply.said}")
            answers[question.name] = reply.answer
    return Known(tuple(asked), answers)
