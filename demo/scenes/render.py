"""From a scene to a picture: backdrop, shadows, objects, then light and grain."""

from __future__ import annotations

import math
from random import Random

import numpy as np
from PIL import Image

from demo.scenes.canvas import Canvas
from demo.scenes.colour import COLOURS, Rgb, Tint, jitter
from demo.scenes.layout import Placed, arrange
from demo.scenes.pen import Pen, Pose
from demo.scenes.places import LIGHT, PLACES
from demo.scenes.places.indoors import studio
from demo.scenes.scene import STUDIO, Scene

_NIGHT_RIM: Rgb = (190, 204, 250)  # moonlight along the edges of what is dark
_PALE_RIM: Rgb = (214, 214, 224)


def draw(scene: Scene, size: tuple[int, int], *, supersampling: int = 3) -> Image.Image:
    """Draw the scene as an RGB picture of `size` (width, height) pixels; the same scene gives the same picture."""
    width, height = size
    if min(width, height) < 32:
        raise ValueError(f"a picture of {width} x {height} pixels is too small; expected 32 or more on each side")
    rng = Random(f"picture {scene}")
    canvas = Canvas(width * supersampling, height * supersampling)
    time = scene.time or "day"
    if scene.place == STUDIO:
        studio(canvas, scene.backdrop or "white", rng)
    else:
        PLACES[scene.place].paint(canvas, time, rng)
    bases = {group: jitter(COLOURS[group.colour], rng) for group in scene.groups}
    by_look = {(group.kind, group.colour): base for group, base in bases.items()}
    for placed in arrange(scene, rng):
        _put(canvas, placed, by_look[placed.kind.name, placed.colour], scene, time, rng)
    image = canvas.image.resize(size, Image.Resampling.BOX if supersampling > 1 else Image.Resampling.NEAREST)
    return _develop(image, rng)


def _put(canvas: Canvas, placed: Placed, base: Rgb, scene: Scene, time: str, rng: Random) -> None:
    kind = placed.kind
    if placed.rests:
        _shadow(canvas, placed, scene)
    turn = rng.uniform(-kind.sways, kind.sways) * (0.5 if placed.rests else 1.0)
    pose = Pose(
        canvas.x(placed.u),
        canvas.y(placed.v),
        placed.size * canvas.side,
        turn,
        mirrored=kind.mirrors and rng.random() < 0.5,
    )
    pen = Pen(canvas.draw, pose, LIGHT[time], lit=time != "day")
    dark_around = time == "night" or scene.backdrop == "black"
    if max(base) < 100 and dark_around:
        rim: Rgb | None = _NIGHT_RIM
    elif max(base) < 100 and scene.place in {"underwater", STUDIO}:
        rim = _PALE_RIM
    else:
        rim = None
    tint = Tint.of(jitter(base, rng, 0.3), rim)
    kind.draw(pen, tint, rng)
    pen.finish(tint.outline)
    if placed.rests and kind.habitat == "water":
        _waterline(canvas, placed)


def _shadow(canvas: Canvas, placed: Placed, scene: Scene) -> None:
    foot = placed.v + placed.size * 0.49
    wide = placed.size * placed.kind.shape[0] * 0.46
    strength = {"night": 90, "sunset": 70}.get(scene.time or "", 60)
    for grow, share in ((1.15, 0.45), (0.95, 0.6)):
        canvas.oval(placed.u + wide * 0.1, foot, wide * grow, placed.size * 0.05 * grow, (24, 20, 52, round(strength * share)))


def _waterline(canvas: Canvas, placed: Placed) -> None:
    foot = placed.v + placed.size * 0.47
    for reach, drop in ((0.5, 0.0), (0.36, 0.03)):
        canvas.stroke(
            [(placed.u - placed.size * reach, foot + placed.size * drop), (placed.u + placed.size * reach, foot + placed.size * drop)],
            0.007,
            (255, 255, 255, 110),
        )


def _develop(image: Image.Image, rng: Random) -> Image.Image:
    """What a camera adds: exposure, warmth, a darker rim, grain."""
    pixels = np.asarray(image, dtype=np.float32)
    height, width = pixels.shape[:2]
    exposure, warmth = rng.uniform(0.93, 1.05), rng.uniform(-0.025, 0.025)
    gain = np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32) * exposure
    across, down = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    rim = 1 - rng.uniform(0.0, 0.14) * (across[None, :] ** 2 + down[:, None] ** 2) / math.sqrt(2)
    noise = np.random.default_rng(rng.getrandbits(32)).standard_normal((height, width, 1), dtype=np.float32)
    developed = pixels * gain * rim[:, :, None] + noise * rng.uniform(0.2, 2.0)
    return Image.fromarray(developed.clip(0, 255).astype(np.uint8), "RGB")
