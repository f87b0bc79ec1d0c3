"""Clients that ask a server again and again while something else happens to it."""

import threading
from typing import Any, Self

from triptych import Client
from triptych.images import ImageInput
from triptych.retry import RetryPolicy

KINDS = ("image", "text", "photo", "faces")
PAUSE = 0.05
"""Seconds between a client's questions, which leave what happens meanwhile its share of the cores."""


class Traffic:
    """Two threads for each kind of question, which ask until the block ends; then `answers` and `errors` tell what came back."""

    def __init__(self, url: str, photo: ImageInput, kinds: tuple[str, ...] = KINDS) -> None:
        self.answers: list[tuple[str, list[Any]]] = [(kind, []) for kind in kinds for _ in range(2)]
        self.errors: list[tuple[str, Exception]] = []
        self._url, self._photo, self._stopped = url, photo, threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=of) for of in self.answers]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, kind: str, answers: list[Any]) -> None:
        with Client(self._url, retry=RetryPolicy(overloaded=1, unreachable=1)) as client:
            questions = {
                "image": lambda: client.embed_image(self._photo),
                "text": lambda: client.embed_text("a dog"),
                "photo": lambda: client.analyze(self._photo).embedding,
                "faces": lambda: [face.embedding for face in client.faces(self._photo)],
            }
            while not self._stopped.wait(PAUSE):
                try:
                    answers.append(questions[kind]())
                except Exception as error:
                    self.errors.append((kind, error))
