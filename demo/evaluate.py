"""`python -m demo.evaluate`: how well the demo weights find held-out pictures; onnxruntime only, no Triton, no torch."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from demo.scenes import EVALUATION_SEEDS, TRAINING_SEEDS, Caption, Scene, describe, draw, sample, variants
from demo.scenes.facts import encode_facts, encode_scenes, fits
from demo.scenes.variants import ATTRIBUTES, Attribute
from demo.weights import WEIGHTS, DemoClip

COUNT = 200
_SIZES = ((480, 360), (360, 480), (400, 400), (512, 320), (448, 336))


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A scene that training never saw, with a caption that is true of no other held-out scene."""

    scene: Scene
    caption: Caption


@dataclass(frozen=True, slots=True)
class Report:
    """Shares in 0..1; `attributes` gives, per attribute, how often the true value beat every other one, and the cases."""

    count: int
    recall_at_1: float
    recall_at_5: float
    attributes: dict[Attribute, tuple[float, int]]


def held_out(count: int = COUNT) -> list[HeldOut]:
    """The first `count` evaluation scenes whose captions tell them all apart; always the same ones."""
    if not set(TRAINING_SEEDS).isdisjoint(EVALUATION_SEEDS):
        raise AssertionError("training and evaluation seeds overlap")
    kept: list[HeldOut] = []
    for seed in EVALUATION_SEEDS:
        scene = sample(seed)
        candidate = HeldOut(scene, describe(scene, Random(f"caption {seed}")))
        together = [*kept, candidate]
        table = fits(encode_facts([k.caption.facts for k in together]), encode_scenes([k.scene for k in together]))
        if table.sum() == len(together):
            kept.append(candidate)
        if len(kept) == count:
            return kept
    raise ValueError(f"only {len(kept)} of {count} scenes can be told apart by their captions")


def evaluate(
    clip: DemoClip,
    items: Sequence[HeldOut],
    *,
    supersampling: int = 3,
    attributes: Sequence[Attribute] = ATTRIBUTES,
) -> Report:
    """Embed every picture and caption, then search: each caption among all pictures, each picture among wrong captions."""
    images = np.stack(
        [clip.embed_image(draw(item.scene, _SIZES[at % len(_SIZES)], supersampling=supersampling)) for at, item in enumerate(items)]
    )
    texts = np.stack([clip.embed_text(item.caption.text) for item in items])
    similarity = texts @ images.T
    rank = (similarity > similarity.diagonal()[:, None]).sum(axis=1)
    return Report(
        count=len(items),
        recall_at_1=float((rank < 1).mean()),
        recall_at_5=float((rank < 5).mean()),
        attributes={attribute: _told_apart(clip, items, images, attribute) for attribute in attributes},
    )


def _told_apart(clip: DemoClip, items: Sequence[HeldOut], images: NDArray[np.float32], attribute: Attribute) -> tuple[float, int]:
    """How often, among captions with every value of the attribute, the true one is nearest to the picture."""
    right = [
        max(wrong) < own for item, image in zip(items, images, strict=True) for own, wrong in _choices(clip, item.scene, image, attribute)
    ]
    return (sum(right) / len(right) if right else float("nan")), len(right)


def _choices(clip: DemoClip, scene: Scene, image: NDArray[np.float32], attribute: Attribute) -> Iterator[tuple[float, list[float]]]:
    """For each group (one of them where the attribute is the whole scene's): similarity to the true and wrong captions."""
    groups = range(len(scene.groups)) if attribute in ("colour", "count", "kind") else range(1)
    for at in groups:
        others = variants(scene, attribute, at)
        phrasing = f"choice {scene.seed} {attribute} {at}"
        true, *captions = (describe(each, Random(phrasing)) for each in (scene, *others))
        # Daylight goes without saying, so that not every variant's caption is wrong.
        wrong = [c for c in captions if not fits(encode_facts([c.facts]), encode_scenes([scene])).any()]
        if wrong:
            own, *rest = (float(clip.embed_text(c.text) @ image) for c in (true, *wrong))
            yield own, rest


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m demo.evaluate", description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--count", type=int, default=COUNT, help="how many scenes to search among")
    options = parser.parse_args()
    report = evaluate(DemoClip(options.weights), held_out(options.count))
    table = Table("measure", "result", "cases", title="The demo models on held-out scenes")
    table.add_row("text-to-image recall@1", f"{report.recall_at_1:.3f}", str(report.count))
    table.add_row("text-to-image recall@5", f"{report.recall_at_5:.3f}", str(report.count))
    for attribute, (share, cases) in report.attributes.items():
        table.add_row(f"right {attribute}, among all values", f"{share:.3f}", str(cases))
    Console().print(table)


if __name__ == "__main__":
    main()
