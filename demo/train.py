"""`python -m demo.train`: draws the training set, trains both towers on it and writes demo/weights/clip."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from tokenizers import Tokenizer
from torch import Tensor, nn

from demo.evaluate import held_out
from demo.scenes import describe
from demo.training.batches import Batch, batches
from demo.training.bpe import END, token_id, train_tokenizer
from demo.training.export import MEAN, STD, export
from demo.training.loss import contrastive_loss
from demo.training.pictures import Pictures, load, training_pairs
from demo.training.towers import TextTower, VisualTower

ROOT = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides the outcome. Not searched for: the first that gave a recall@1 well above 0.9 in half an hour."""

    pairs: int = 10_000  # 20,000 pictures, two of which always differ in one attribute
    epochs: int = 6
    pairs_each: int = 96  # 192 pictures a step
    rate: float = 2e-3
    decay: float = 0.05
    seed: int = 1

    def __post_init__(self) -> None:
        if min(self.pairs, self.epochs, self.pairs_each) < 1 or self.pairs < self.pairs_each:
            raise ValueError("pairs, epochs and pairs_each must be 1 or more, and one batch must fit into the pairs")


class Trainer:
    """Both towers, their optimiser and one training step."""

    def __init__(self, recipe: Recipe, vocabulary: int, end_id: int, steps: int) -> None:
        self.visual = VisualTower().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.text = TextTower(vocabulary, end_id)
        self._scale = nn.Parameter(torch.tensor(3.0))
        self._weights = [*self.visual.parameters(), *self.text.parameters()]
        groups: list[dict[str, Any]] = [{"params": self._weights}, {"params": [self._scale], "weight_decay": 0.0}]
        self._optimiser = torch.optim.AdamW(groups, lr=recipe.rate, weight_decay=recipe.decay, betas=(0.9, 0.98))
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(self._optimiser, recipe.rate, total_steps=steps, pct_start=0.12)
        self._mean, self._std = (torch.tensor(v).view(1, 3, 1, 1) * 255 for v in (MEAN, STD))
        # Half the bits are six times the speed where the CPU multiplies bf16, and slower than f32 where it does not.
        self._half = torch.ops.mkldnn._is_mkldnn_bf16_supported()

    def step(self, batch: Batch) -> float:
        """One update; returns the loss."""
        images = self._lit(batch.images).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self._half):
            pictures, texts = self.visual.forward_half(images), self.text(batch.tokens)
        loss = contrastive_loss(pictures.float(), texts.float(), self._scale.exp().clamp(max=100), batch.fits)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._weights, 1.0)
        self._optimiser.step()
        self._schedule.step()
        return float(loss.detach())

    def _lit(self, images: Tensor) -> Tensor:
        """uint8 [B, 3, S, S] in another light, normalised."""
        count = images.shape[0]
        exposure = 1 + 0.1 * (2 * torch.rand(count, 1, 1, 1) - 1)
        warmth = 1 + 0.05 * (2 * torch.rand(count, 3, 1, 1) - 1)
        return (images.float() * exposure * warmth - self._mean) / self._std


def train(recipe: Recipe, cache: Path, threads: int, console: Console) -> tuple[VisualTower, TextTower, Tokenizer]:
    """The whole training: draw (or take from the cache), learn the tokenizer, then the towers."""
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(threads)
    rng = Random(recipe.seed)
    pairs = training_pairs(recipe.pairs, [item.scene for item in held_out()])
    with _progress(console) as progress:
        drawing = progress.add_task("drawing", total=recipe.pairs, note="")
        for state in load(pairs, cache, threads):
            if isinstance(state, Pictures):
                pictures = state
            progress.update(drawing, completed=recipe.pairs if isinstance(state, Pictures) else state)
        texts = (describe(scene, rng, silence=0.2).text for pair in pairs for scene in pair)
        tokenizer = train_tokenizer(texts)
        steps = recipe.epochs * (recipe.pairs // recipe.pairs_each)
        trainer = Trainer(recipe, tokenizer.get_vocab_size(), token_id(tokenizer, END), steps)
        learning = progress.add_task("training", total=steps, note="")
        average: float | None = None
        for epoch in range(1, recipe.epochs + 1):
            for batch in batches(pictures, tokenizer, recipe.pairs_each, rng):
                loss = trainer.step(batch)
                average = loss if average is None else 0.98 * average + 0.02 * loss
                progress.update(learning, advance=1, note=f"loss {average:.3f}")
            console.print(f"epoch {epoch} of {recipe.epochs}: loss {average:.3f}")
    return trainer.visual.eval(), trainer.text.eval(), tokenizer


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


def main() -> None:
    """The command."""
    default = Recipe()
    parser = argparse.ArgumentParser(prog="python -m demo.train", description=__doc__)
    parser.add_argument("--pairs", type=int, default=default.pairs, help="pairs of pictures to draw")
    parser.add_argument("--epochs", type=int, default=default.epochs)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=ROOT / "weights" / "clip")
    parser.add_argument("--cache", type=Path, default=ROOT.parent / ".cache" / "demo", help="where drawn pictures are kept")
    options = parser.parse_args()
    console, started = Console(), time.monotonic()
    recipe = Recipe(pairs=options.pairs, epochs=options.epochs, seed=options.seed)
    visual, text, tokenizer = train(recipe, options.cache, options.threads, console)
    export(options.out, visual, text, tokenizer)
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file()) / 1e6
    console.print(f"{size:.1f} MB of weights written after {(time.monotonic() - started) / 60:.1f} min")
    console.print("next: python -m demo.evaluate")


if __name__ == "__main__":
    main()
