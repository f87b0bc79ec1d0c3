"""Steady load in a thread of its own: every question in turn, every answer compared with the known one, everything written down."""

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from loadtest.chaos.known import Known
from loadtest.questions import Asker, Fate, Question, Reply

CALLERS, PAUSE_SECONDS = 6, 0.03
PATIENCE_SECONDS = 120.0
"""Longer than any fault takes to heal: who has heard nothing then will never hear."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller was told, and when, by `time.perf_counter`; `wrong` for an answer that is not the known one."""

    model: str
    fate: Fate
    moment: float
    said: str
    wrong: bool = False

    @property
    def is_bad(self) -> bool:
        """Whether a caller would call this broken: anything but a right answer, or a refusal by a full queue."""
        return self.wrong or self.fate not in (Fate.ANSWERED, Fate.REFUSED)


class Traffic:
    """Runs within `with`; `told` grows meanwhile."""

    def __init__(self, address: str, known: Known, patience: float = PATIENCE_SECONDS) -> None:
        self.told: list[Told] = []
        self._address, self._known, self._patience = address, known, patience
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopping.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def is_well(self, since: float) -> bool:
        """Whether, since that moment, every model has answered and nobody was told anything bad."""
        later = [told for told in self.told if told.moment > since]
        return {told.model for told in later if told.fate is Fate.ANSWERED} == self._known.models and not any(told.is_bad for told in later)

    def _run(self) -> None:
        try:
            asyncio.run(self._all())
        except BaseException as error:
            self._failure = error

    async def _all(self) -> None:
        turn = enumerate(itertools.cycle(self._known.questions))
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(self._caller(turn))

    async def _caller(self, turn: Iterator[tuple[int, Question]]) -> None:
        async with Asker(self._address, self._patience) as asker:
            while not self._stopping.is_set():
                number, question = next(turn)
                if question.model == "search_text":
                    question = Question.about_new_text(question.name, number)
                self.told.append(self._checked(question, await asker.ask(question)))
                await asyncio.sleep(PAUSE_SECONDS)

    def _checked(self, question: Question, reply: Reply) -> Told:
        wrong = reply.fate is Fate.ANSWERED and not self._known.is_right(question.name, reply.answer)
        said = f"another answer than the known one to {question.name}" if wrong else reply.said
        return Told(question.model, reply.fate, time.perf_counter(), said, wrong)
