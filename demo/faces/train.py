"""`python -m demo.faces.train`: draws people, trains detector and embedder on them and writes demo/weights/faces."""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional

from demo.faces.export import export_detector, export_embedder
from demo.faces.nets import Detector, Embedder
from demo.faces.networks import EMBED_DIM, WEIGHTS
from demo.faces.pictures import LARGE_SIDE, LOOKS, SIDE, Drawings, aligned_faces, large_scenes, small_scenes
from demo.faces.targets import anchors_of, losses

_RISE = 0.12  # share of the training in which the rate rises
_SCALE, _MARGIN = 24.0, 0.25  # of CosFace: embeddings of one person must be nearer by this cosine


@dataclass(frozen=True, slots=True)
class Recipe:
    """How much is drawn, and how long it is looked at."""

    small: int = 4000
    large: int = 600
    people: int = 600
    detector_steps: int = 3600
    embedder_steps: int = 1800
    minutes: float = 12.0  # for each network, at most
    rate: float = 3e-3
    seed: int = 1

    def __post_init__(self) -> None:
        if min(self.small, self.large, self.people, self.detector_steps, self.embedder_steps) < 1:
            raise ValueError("every number of a recipe must be 1 or more")


def train_detector(recipe: Recipe, cache: Path, threads: int, progress: Progress) -> Detector:
    """One step in four sees large pictures, the others small ones; as many pixels each."""
    torch.manual_seed(recipe.seed)
    small = _drawn(small_scenes(recipe.small, cache, threads), recipe.small, "small scenes", progress)
    large = _drawn(large_scenes(recipe.large, cache, threads), recipe.large, "large scenes", progress)
    sets = [(small, 16, anchors_of(SIDE)), (large, 4, anchors_of(LARGE_SIDE))]
    rng = np.random.default_rng(recipe.seed)
    net = Detector()

    def loss(step: int) -> Tensor:
        drawings, count, anchors = sets[step % 4 == 0]
        images, faces = _scenes(drawings, rng.integers(0, len(drawings.pixels), count), rng)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=_half()):
            found = net((_relit(images) - 127.5) / 128)
        parts = losses(found, anchors, faces)
        return parts.score + parts.box + 5 * parts.points  # alignment hangs on the landmarks, and recognition on it

    _learn(net, loss, recipe.detector_steps, recipe, "detector", progress)
    return net.eval()


def train_embedder(recipe: Recipe, cache: Path, threads: int, progress: Progress) -> Embedder:
    """CosFace: among the directions of all people, an embedding must be nearest to its own, by a margin."""
    torch.manual_seed(recipe.seed)
    drawings = _drawn(aligned_faces(recipe.people, cache, threads), recipe.people * LOOKS, "aligned faces", progress)
    rng = np.random.default_rng(recipe.seed)
    net = Embedder()
    people = nn.Parameter(torch.randn(recipe.people, EMBED_DIM))

    def loss(step: int) -> Tensor:
        rows = rng.integers(0, len(drawings.pixels), 96)
        images = torch.from_numpy(np.array(drawings.pixels[np.sort(rows)])).permute(0, 3, 1, 2).float()
        who = torch.from_numpy(np.array(drawings.labels[np.sort(rows)])).long()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=_half()):
            found = net((_relit(_shaken(images)) - 127.5) / 127.5)
        cosine = functional.normalize(found.float()) @ functional.normalize(people).T
        margin = _MARGIN * min(1.0, 3 * step / recipe.embedder_steps)
        return functional.cross_entropy(_SCALE * (cosine - margin * functional.one_hot(who, recipe.people)), who)

    _learn(net, loss, recipe.embedder_steps, recipe, "embedder", progress, people)
    return net.eval()


def _learn(
    net: nn.Module, loss: Callable[[int], Tensor], steps: int, recipe: Recipe, name: str, progress: Progress, *more: nn.Parameter
) -> None:
    """AdamW; the rate rises, then falls to nothing at the last step, or when the time is up."""
    weights = [*net.parameters(), *more]
    optimiser = torch.optim.AdamW(weights, lr=recipe.rate, weight_decay=0.02)
    bar, recent, started, done = progress.add_task(name, total=1.0), list[float](), time.monotonic(), 0.0
    net.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for step in range(steps):
        done = max(step / steps, (time.monotonic() - started) / (60 * recipe.minutes))
        if done >= 1:
            break
        optimiser.param_groups[0]["lr"] = recipe.rate * (
            min(1.0, 0.1 + done / _RISE) if done < _RISE else (1 + math.cos(math.pi * done)) / 2
        )
        value = loss(step)
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights, 5.0)
        optimiser.step()
        recent.append(float(value.detach()))
        progress.update(bar, completed=done, description=f"{name}, loss {fmean(recent[-50:]):.3f}")
        if (step + 1) % 100 == 0:
            progress.console.print(
                f"{name}: step {step + 1} of {steps}, loss {fmean(recent[-100:]):.3f}, {time.monotonic() - started:.0f} s"
            )
    progress.update(bar, completed=1.0)


def _scenes(drawings: Drawings, rows: np.ndarray[tuple[int], np.dtype[np.int64]], rng: np.random.Generator) -> tuple[Tensor, list[Tensor]]:
    """Pictures f32 [B, 3, side, side] and the faces [N, 14] of each; half of them mirrored."""
    images, faces = [], []
    for row in rows:
        picture, labels = drawings.pixels[row], torch.from_numpy(np.array(drawings.labels[row]))
        each = labels[~labels.isnan().any(dim=1)]
        if rng.random() < 0.5:
            picture, each = picture[:, ::-1], _mirrored(each, picture.shape[1])
        images.append(torch.from_numpy(np.array(picture)))
        faces.append(each)
    return torch.stack(images).permute(0, 3, 1, 2).float(), faces


def _mirrored(faces: Tensor, width: int) -> Tensor:
    """Faces [N, 14] of the mirrored picture: left and right change places."""
    points = faces[:, 4:].view(-1, 5, 2)[:, [1, 0, 2, 4, 3]] * torch.tensor([-1.0, 1.0]) + torch.tensor([float(width), 0.0])
    return torch.cat([width - faces[:, 2:3], faces[:, 1:2], width - faces[:, 0:1], faces[:, 3:4], points.reshape(-1, 10)], dim=1)


def _relit(images: Tensor) -> Tensor:
    """In another light, in levels 0..255."""
    count = len(images)
    gain = 1 + 0.15 * (2 * torch.rand(count, 1, 1, 1) - 1) + 0.05 * (2 * torch.rand(count, 3, 1, 1) - 1)
    return (images * gain).clamp(0, 255).contiguous(memory_format=torch.channels_last)


def _shaken(images: Tensor) -> Tensor:
    """Shifted, turned and resized a little, all in one go."""
    count = len(images)
    scale, angle = 1 + 0.06 * torch.randn(count), 0.06 * torch.randn(count)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = scale * angle.cos()
    matrix[:, 0, 1], matrix[:, 1, 0] = -scale * angle.sin(), scale * angle.sin()
    matrix[:, :, 2] = 0.05 * torch.randn(count, 2)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def _half() -> bool:
    """Half the bits are several times the speed where the CPU multiplies bf16, and slower than f32 where it does not."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _drawn(states: Iterator[Drawings | int], total: int, name: str, progress: Progress) -> Drawings:
    bar = progress.add_task(f"drawing {name}", total=total)
    for state in states:
        if isinstance(state, Drawings):
            progress.update(bar, completed=total)
            return state
        progress.update(bar, completed=state)
    raise AssertionError("drawing ended without drawings")


def main() -> None:
    """The command."""
    default = Recipe()
    parser = argparse.ArgumentParser(prog="python -m demo.faces.train", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("both", "detector", "embedder"), default="both")
    parser.add_argument("--small", type=int, default=default.small, help="letterboxes of 320 pixels to draw")
    parser.add_argument("--large", type=int, default=default.large, help="letterboxes of 640 pixels to draw")
    parser.add_argument("--people", type=int, default=default.people, help="how many people the embedder gets to know")
    parser.add_argument("--detector-steps", type=int, default=default.detector_steps)
    parser.add_argument("--embedder-steps", type=int, default=default.embedder_steps)
    parser.add_argument("--minutes", type=float, default=default.minutes, help="for each network, at most")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--cache", type=Path, default=Path(__file__).resolve().parents[2] / ".cache" / "demo" / "faces")
    options = parser.parse_args()
    recipe = Recipe(options.small, options.large, options.people, options.detector_steps, options.embedder_steps, options.minutes)
    torch.set_num_threads(options.threads)
    console, started = Console(), time.monotonic()
    with Progress(console=console) as progress:
        if options.what != "embedder":
            export_detector(train_detector(recipe, options.cache, options.threads, progress), options.out)
        if options.what != "detector":
            export_embedder(train_embedder(recipe, options.cache, options.threads, progress), options.out)
    console.print(f"weights written after {(time.monotonic() - started) / 60:.1f} min; next: python -m demo.faces.evaluate")


if __name__ == "__main__":
    main()
