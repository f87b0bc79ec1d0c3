"""`python -m loadtest.soak --minutes 20`: mixed load for a long time; does memory, shared memory, open files or latency grow?

The demo's models; photos from one pixel to 50 megapixels through every ensemble, and texts. A process that is killed or a request without
an answer ends it with 1, and so does a slope that is more than noise; the first two fifths, in which buffers find their size, are left out.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from loadtest.bench import CACHE
from loadtest.chaos.known import ABOUT_PHOTOS
from loadtest.footprint import Footprint
from loadtest.odd_photos import odd_photos
from loadtest.questions import Asker, Fate, Question
from loadtest.services import ROOT, TritonService, triptych
from loadtest.slopes import Trend, trend
from triptych_server.repository import Repository

PHOTOS, CALLERS = 48, 4
READ_SECONDS = 5.0
SETTLING = 0.4
GAUGED = "text"
"""The question whose latency is followed: every one is new, and of one size."""
ANSWERS = 1 << 20
"""Bytes of the response cache: few, so that new texts have filled it before the readings count."""


@dataclass(slots=True)
class Diary:
    """What was seen: fates, what errors said, readings by series with their minutes, and latencies in ms since the last reading."""

    fates: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    minutes: list[float] = field(default_factory=list)
    series: dict[str, list[float]] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)

    def read(self, minute: float, footprint: Footprint) -> None:
        """Add a reading, when there were latencies since the last."""
        if not self.latencies:
            return
        figures = {f"memory of {name}": size / 1e6 for name, size in footprint.memory.items()}
        figures |= {f"files of {name}": float(count) for name, count in footprint.files.items()}
        figures |= {"shared memory": footprint.shared / 1e6, "latency": float(np.median(self.latencies))}
        self.latencies.clear()
        self.minutes.append(minute)
        for name, value in figures.items():
            self.series.setdefault(name, []).append(value)

    def trends(self) -> list[Trend]:
        """Of every series, without its beginning. ValueError when a process came or went meanwhile, or readings are too few."""
        start = next(place for place, minute in enumerate(self.minutes) if minute >= SETTLING * self.minutes[-1])
        found = []
        for name, values in sorted(self.series.items()):
            if len(values) != len(self.minutes):
                raise ValueError(f"{name} was read {len(values)} times of {len(self.minutes)}: its process came or went")
            unit, share, least = _noise(name)
            found.append(trend(name, unit, self.minutes[start:], values[start:], share=share, least=least))
        return found


def _noise(name: str) -> tuple[str, float, float]:
    """Unit of a series, and the growth that is noise: a share of its level, and never less than so much."""
    if name.startswith("files"):
        return "files", 0.0, 2.0
    return ("ms", 0.25, 2.0) if name == "latency" else ("MB", 0.03, 8.0)


async def soak(service: TritonService, photos: Sequence[bytes], minutes: float, diary: Diary) -> None:
    """Ask about random photos and texts for so long, and read what the server holds now and then."""
    began, until = time.perf_counter(), time.perf_counter() + 60 * minutes
    questions = [Question.about_photo(f"{number}", photo, *about) for number, photo in enumerate(photos) for about in ABOUT_PHOTOS.items()]
    dice = random.Random(0)

    async def caller() -> None:
        async with Asker(service.url) as asker:
            while time.perf_counter() < until:
                is_text = dice.random() < 0.2
                question = Question.about_text(f"{dice.getrandbits(64):x}") if is_text else dice.choice(questions)
                reply = await asker.ask(question)
                diary.fates[reply.fate.value] += 1
                if reply.fate is not Fate.ANSWERED:
                    diary.said[reply.said] += 1
                elif is_text:
                    diary.latencies.append(1e3 * reply.seconds)

    async def reader() -> None:
        while (now := time.perf_counter()) < until:
            diary.read((now - began) / 60, Footprint.read(service.pid))
            await asyncio.sleep(READ_SECONDS)

    async with asyncio.TaskGroup() as group:
        group.create_task(reader())
        for _ in range(CALLERS):
            group.create_task(caller())


def print_trends(console: Console, diary: Diary, trends: Sequence[Trend]) -> None:
    """One row for each series, and what became of the requests."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("series", "level", "a minute adds", "with 99 % between", "noise in all"):
        table.add_column(title, justify="left" if title == "series" else "right")
    table.add_column("")
    for each in trends:
        between = f"{each.low:+.3f} and {each.high:+.3f}"
        verdict = "[red]grows[/]" if each.grows else ""
        table.add_row(each.name, f"{each.level:.1f} {each.unit}", f"{each.slope:+.3f}", between, f"{each.noise:.1f}", verdict)
    console.print(table)
    console.print(dict(diary.fates), *diary.said.most_common(5), sep="\n")


def main() -> None:
    """Soak, print, exit with 1 when something grew, or a request was lost or failed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=20.0)
    arguments.add_argument("--profile", default="cpu")
    arguments.add_argument("--json", type=Path, help="a file for the readings and slopes")
    options = arguments.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    checkout, diary, console = Repository.locate(ROOT), Diary(), Console(width=140)
    photos = list(odd_photos(PHOTOS))
    with (
        tempfile.TemporaryDirectory(dir=CACHE) as scratch,
        triptych([checkout.demo_weights, checkout.demo_faces], Path(scratch), options.profile, cache_bytes=ANSWERS) as service,
    ):
        asyncio.run(soak(service, photos, options.minutes, diary))
    trends = diary.trends()
    print_trends(console, diary, trends)
    if options.json:
        seen = {"fates": diary.fates, "minutes": diary.minutes, "series": diary.series, "trends": [asdict(each) for each in trends]}
        options.json.write_text(json.dumps(seen, indent=2) + "\n", encoding="utf-8")
    bad = set(diary.fates) - {Fate.ANSWERED, Fate.REFUSED}
    sys.exit(bool(bad) or any(each.grows for each in trends))


if __name__ == "__main__":
    main()
