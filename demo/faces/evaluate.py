"""`python -m demo.faces.evaluate`: how well the demo's face networks do on people and scenes that training never saw; onnxruntime only."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from demo.faces.networks import EMBED_DIM, WEIGHTS, DemoFaces, crop
from demo.people import EVALUATION_PEOPLE, TRAINING_PEOPLE, VALIDATION_PEOPLE, DrawnFace, draw_group, sample_group
from demo.scenes import EVALUATION_SEEDS, draw, sample
from triptych_server.vision.detections import Detections

SCENES, PEOPLE, PICTURES = 150, 50, 6
_SIZES = ((640, 480), (480, 640), (480, 360), (360, 480), (720, 405), (512, 512), (800, 600))
_LOWEST = 0.05  # scores below it are not ranked
_IOU = 0.5
_HEADS = (0.06, 0.1, 0.2, 0.4)  # least height of a head in the pictures of one person, as a share of the longer side


@dataclass(frozen=True, slots=True)
class DetectionReport:
    """`precision` is the average one (area under precision over recall, IoU 0.5); `recall` and `false_alarms` (per picture) are
    at score 0.7, the server's default; `landmark_error` is the mean distance in shares of the face's size.
    """

    pictures: int
    faces: int
    precision: float
    recall: float
    false_alarms: float
    landmark_error: float


@dataclass(frozen=True, slots=True)
class RecognitionReport:
    """`accuracy` over as many pairs of one person as of two, split at `threshold`, which other people have set; `missed`: pictures
    whose face was not found, all pairs with which count as wrong.
    """

    pairs: int
    accuracy: float
    threshold: float
    same: float
    different: float
    missed: int


def evaluate_detection(networks: DemoFaces, count: int = SCENES) -> DetectionReport:
    """Find the faces of held-out people in held-out scenes; one scene in eight has none."""
    _check_apart()
    ranked: list[tuple[float, bool]] = []
    total, errors = 0, list[float]()
    for at in range(count):
        size = _SIZES[at % len(_SIZES)]
        image, faces = _held_out(at, size)
        found = networks.detect(image, _LOWEST)
        partners = match(found, faces)
        total += len(faces)
        for row, partner in enumerate(partners):
            ranked.append((float(found.scores[row]), partner is not None))
            if partner is not None:
                away = np.linalg.norm(found.landmarks[row] - partner.landmarks, axis=1).mean()
                errors.append(float(away / partner.size))
    sure = [hit for score, hit in ranked if score >= 0.7]
    precision = average_precision(ranked, total)
    return DetectionReport(count, total, precision, sum(sure) / total, (len(sure) - sum(sure)) / count, float(np.mean(errors or [np.nan])))


def match(found: Detections, faces: Sequence[DrawnFace]) -> list[DrawnFace | None]:
    """For each found face, the surest first, the drawn one that it is: the nearest at IoU 0.5 or more that no surer one has taken."""
    left, partners = list(faces), list[DrawnFace | None]()
    for box in found.boxes:
        overlaps = [_overlap(box, face.box) for face in left]
        best = int(np.argmax(overlaps)) if overlaps else -1
        partners.append(left.pop(best) if overlaps and overlaps[best] >= _IOU else None)
    return partners


def average_precision(ranked: Sequence[tuple[float, bool]], total: int) -> float:
    """Area under the curve of precision over recall; `ranked` holds score and rightness of everything found, `total` what there was."""
    if not total:
        raise ValueError("nothing to measure: there was no face to be found")
    hits = np.array([hit for _, hit in sorted(ranked, key=lambda each: -each[0])], dtype=float)
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * hits).sum() / total)


def evaluate_recognition(networks: DemoFaces, people: int = PEOPLE, pictures: int = PICTURES) -> RecognitionReport:
    """Tell whether two pictures show one person; faces are found and aligned by the detector, the threshold is other people's."""
    _check_apart()
    threshold = _best_threshold(*_pairs(*_met(networks, VALIDATION_PEOPLE[:people], pictures)[:2]))
    embeddings, who, missed = _met(networks, EVALUATION_PEOPLE[:people], pictures)
    same, different = _pairs(embeddings, who)
    accuracy = (float((same >= threshold).mean()) + float((different < threshold).mean())) / 2
    return RecognitionReport(2 * len(same), accuracy, threshold, float(np.nanmean(same)), float(np.nanmean(different)), missed)


def _met(networks: DemoFaces, seeds: Sequence[int], pictures: int) -> tuple[NDArray[np.float32], NDArray[np.int64], int]:
    """Embeddings [n, D] of pictures of each person, NaN where the face was not found, and whose they are."""
    embeddings, who, missed = list[NDArray[np.float32]](), list[int](), 0
    for seed in seeds:
        for at in range(pictures):
            size = _SIZES[at % len(_SIZES)]
            group = sample_group(seed * 100 + at, [seed], size, count=1, least=_HEADS[at % len(_HEADS)], kind="met")
            image, faces = draw_group(group, size)
            found = networks.detect(image)
            rows = [row for row, partner in enumerate(match(found, faces)) if partner is not None]
            missed += not rows
            who.append(seed)
            embeddings.append(networks.embed(crop(image, found.landmarks[rows[:1]]))[0] if rows else np.full(EMBED_DIM, np.nan, np.float32))
    return np.stack(embeddings), np.array(who), missed


def _pairs(embeddings: NDArray[np.float32], who: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosines of all pairs of one person, and of as many pairs of two; what was not found is on the wrong side of any threshold."""
    first, second = np.triu_indices(len(who), 1)
    cosines = (embeddings @ embeddings.T)[first, second]
    alike = who[first] == who[second]
    same, different = cosines[alike], cosines[~alike]
    different = np.random.default_rng(1).choice(different, len(same), replace=False)
    return np.nan_to_num(same, nan=-2.0), np.nan_to_num(different, nan=2.0)


def _best_threshold(same: NDArray[np.float32], different: NDArray[np.float32]) -> float:
    steps = np.linspace(-0.2, 0.9, 221)
    return float(max(steps, key=lambda step: float((same >= step).mean() + (different < step).mean())))


def _held_out(at: int, size: tuple[int, int]) -> tuple[Image.Image, list[DrawnFace]]:
    if at % 8 == 7:
        return draw(sample(EVALUATION_SEEDS[at]), size, supersampling=2), []
    return draw_group(sample_group(EVALUATION_SEEDS[at], EVALUATION_PEOPLE, size, kind="held out"), size)


def _overlap(a: NDArray[np.float32], b: NDArray[np.float64]) -> float:
    shared = float((np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])).clip(min=0).prod())
    return shared / (float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - shared)


def _check_apart() -> None:
    people = [set(seeds) for seeds in (TRAINING_PEOPLE, VALIDATION_PEOPLE, EVALUATION_PEOPLE)]
    if len(set.union(*people)) != sum(map(len, people)):
        raise AssertionError("people of training, validation and evaluation overlap")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m demo.faces.evaluate", description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--scenes", type=int, default=SCENES)
    parser.add_argument("--people", type=int, default=PEOPLE)
    options = parser.parse_args()
    networks = DemoFaces(options.weights)
    seen, known = evaluate_detection(networks, options.scenes), evaluate_recognition(networks, options.people)
    table = Table("measure", "result", "cases", title="The demo's face networks on held-out people and scenes")
    table.add_row("detection, average precision at IoU 0.5", f"{seen.precision:.3f}", f"{seen.faces} faces")
    table.add_row("faces found at score 0.7", f"{seen.recall:.3f}", f"{seen.faces} faces")
    table.add_row("false alarms per picture at score 0.7", f"{seen.false_alarms:.3f}", f"{seen.pictures} pictures")
    table.add_row("landmark error, in face sizes", f"{seen.landmark_error:.4f}", "")
    table.add_row("same or different person, accuracy", f"{known.accuracy:.3f}", f"{known.pairs} pairs")
    table.add_row("mean cosine, same / different person", f"{known.same:.2f} / {known.different:.2f}", f"split at {known.threshold:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
