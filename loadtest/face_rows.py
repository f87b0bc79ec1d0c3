"""The rows of `faces` and `photo`: against the plain service with none to ten faces on a photo, and against asking twice."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.agreement import FACES, check_agreement
from loadtest.connections import Task
from loadtest.contest import Contest
from loadtest.loads import LoadRun, Photos
from loadtest.report import Goal, Row
from loadtest.rows import IN_FLIGHT, breakdown, latencies, throughputs
from triptych_server.benchmark.diagnosis.steps import cpu_ms
from triptych_server.benchmark.limits import Limits
from triptych_server.benchmark.machine import usable_cores
from triptych_server.vision.face_pixels import FacePixels

GOALS = Goal(3, ">="), Goal(0.5, "<=")
PHOTO_GOALS = Goal(1 / 0.85, ">="), Goal(0.85, "<=")
PHOTO_FACES = 1
"""Faces on the photos with which `photo` is measured."""


def face_rows(contest: Contest, crowds: Mapping[int, Path], nets: str, *, goals: bool) -> tuple[list[Row], dict[str, Any]]:
    """Measure both services on folders of photos by their number of faces; `nets` names the networks in the table."""
    jpegs = {count: [path.read_bytes() for path in sorted(folder.glob("*.jpg"))] for count, folder in crowds.items()}
    cosine = min(check_agreement(("faces", contest.ours), ("plain faces", contest.plain), each, FACES) for each in jpegs.values())
    detector, recogniser = (contest.runtime(*each, "throughput").throughput for each in (("face_detection", 4), ("face_recognition", 16)))
    lone = contest.runtime("face_detection", 1, "latency").latency_ms
    facts: dict[str, Any] = {"smallest_cosine_to_plain": cosine, "breakdown": {}}
    facts["runtime"] = {"detections_per_second": detector, "recognitions_per_second": recogniser, "lone_detection_ms": lone}
    rows = list[Row]()
    for count, folder in crowds.items():
        both = _measure(contest, "faces", "plain faces", Photos(folder, count))
        per_second = 1 / (1 / detector + count / recogniser)
        # A lone photo's faces share one run, on all cores.
        limits = Limits.of(usable_cores(), cpu_ms(FacePixels().square, jpegs[count]), per_second, lone + 1e3 * count / recogniser)
        what = f"{nets}, {count} face{'s' * (count != 1)}"
        rows += both.rows(f"faces_{count}", what, GOALS if goals else None, limits)
        facts["breakdown"] |= {f"{count} faces, {load}": breakdown(runs) for load, runs in both.loads()}
    return rows, facts


def photo_rows(contest: Contest, crowds: Mapping[int, Path], nets: str, *, goals: bool) -> list[Row]:
    """What `photo` costs against `search_image` and `faces` asked one after the other."""
    both = _measure(contest, "photo", "search_image, then faces", Photos(crowds[PHOTO_FACES], PHOTO_FACES))
    return both.rows("photo", f"{nets}, {PHOTO_FACES} face", PHOTO_GOALS if goals else None, None)


@dataclass(frozen=True, slots=True)
class _Both:
    """Two tasks on the same photos, many and one in flight."""

    tasks: tuple[Task, Task]
    many: tuple[Sequence[LoadRun], Sequence[LoadRun]]
    single: tuple[Sequence[LoadRun], Sequence[LoadRun]]

    def rows(self, name: str, what: str, goals: tuple[Goal, Goal] | None, limits: Limits | None) -> list[Row]:
        """Throughput, then latency."""
        one, other = self.tasks
        rates = throughputs(one, self.many[0]), throughputs(other, self.many[1])
        waits = latencies(one, self.single[0]), latencies(other, self.single[1])
        more, less = goals or (None, None)
        bounds = (limits.throughput / rates[1].median, limits.latency_ms / waits[1].median) if limits else (None, None)
        return [
            Row(f"{name}_throughput", f"{what}: photos per second, {IN_FLIGHT} in flight", *rates, more, bounds[0]),
            Row(f"{name}_latency", f"{what}: median latency, 1 in flight", *waits, less, bounds[1]),
        ]

    def loads(self) -> Iterator[tuple[str, Sequence[LoadRun]]]:
        """Every load by its name."""
        for runs, in_flight in ((self.many, IN_FLIGHT), (self.single, 1)):
            for task, taken in zip(self.tasks, runs, strict=True):
                yield f"{task}, {in_flight} in flight", taken


def _measure(contest: Contest, one: Task, other: Task, photos: Photos) -> _Both:
    single = contest.loads(one, other, photos, 1)
    slowest = max(run.load.percentile_ms(50) for runs in single for run in runs) / 1e3
    many = contest.loads(one, other, photos, IN_FLIGHT, at_least=2 * IN_FLIGHT * slowest)  # each must be answered twice
    return _Both((one, other), many, single)
