"""Everything below the chin, in head heights from the head's middle: neck, clothes, arms, legs."""

from __future__ import annotations

from demo.people.look import Look
from demo.people.person import Person
from demo.scenes.colour import Rgb, mix
from demo.scenes.pen import Pen, both_sides

FOOT = 3.7  # how far below the middle of the head a figure would stand, were it not
TUCK = 0.1  # this much higher, with its neck in the head
NECK = 0.55  # where the head turns


def draw_body(pen: Pen, person: Person, look: Look) -> None:
    """The figure without its head, arms a little off its sides."""
    cloth, wide = look.cloth, 0.56 * person.build
    dark, light = mix(cloth, (28, 20, 52), 0.28), mix(cloth, (255, 255, 250), 0.5)
    _legs(pen, person, look)
    shade = mix(person.skin, (120, 50, 50), 0.22)
    for side, lift in zip((-1, 1), look.arms, strict=True):
        shoulder, elbow = (side * wide * 0.9, 0.98), (side * (wide * 1.18 + 0.35 * lift), 1.5)
        hand = (side * (wide * 1.12 + 0.5 * lift), 1.98 - 0.25 * lift)
        bare = look.garment in ("tee", "striped", "dress")
        pen.line([shoulder, elbow, hand], 0.2, person.skin if bare else cloth)
        pen.oval(*hand, 0.11, 0.12, person.skin)
        if bare:
            pen.line([shoulder, ((shoulder[0] + elbow[0]) / 2, 1.22)], 0.27, dark, curved=False)
    pen.blob([(-0.13, 0.3), (0.13, 0.3), (0.15, 0.76), (0, 0.86), (-0.15, 0.76)], shade)
    hem = 2.25 if look.garment == "dress" else 2.02
    flare = wide * (1.15 if look.garment == "dress" else 0.86)
    torso = [(0.15, 0.72), (wide * 0.72, 0.79), (wide, 0.95), (wide * 0.93, 1.35), (wide * 0.86, 1.75), (flare, hem), (0, hem + 0.04)]
    pen.blob(both_sides(torso), cloth)
    _cut(pen, person, look, wide, dark, light)


def _cut(pen: Pen, person: Person, look: Look, wide: float, dark: Rgb, light: Rgb) -> None:
    match look.garment:
        case "striped":
            for y in (1.02, 1.26, 1.5, 1.74):
                pen.line([(-wide * 0.88, y), (0, y + 0.04), (wide * 0.88, y)], 0.08, light, body=False)
        case "hoodie":
            pen.blob(both_sides([(0, 0.98), (0.2, 0.78), (0.36, 0.74), (0.3, 0.94), (0.08, 1.1)]), dark, body=False)
            for x in (-0.07, 0.07):
                pen.line([(x, 1.0), (x, 1.28)], 0.022, light, body=False)
            pen.blob([(-0.3, 1.6), (0.3, 1.6), (0.36, 1.88), (-0.36, 1.88)], dark, body=False)
        case "shirt":
            pen.line([(0, 0.92), (0, 2.02)], 0.02, dark, body=False)
            for y in (1.1, 1.35, 1.6, 1.85):
                pen.oval(0.04, y, 0.02, 0.02, light, body=False)
        case _:
            pass
    skin = person.skin
    pen.blob(both_sides([(0, 0.99 if look.garment == "dress" else 0.93), (0.14, 0.83), (0.17, 0.7)]), skin, body=False)
    pen.blob([(-0.13, 0.4), (0.13, 0.4), (0.14, 0.72), (0, 0.8), (-0.14, 0.72)], mix(skin, (120, 50, 50), 0.22), body=False)
    if look.garment == "shirt":
        for side in (-1, 1):
            pen.shape([(side * 0.15, 0.68), (side * 0.27, 0.78), (side * 0.14, 1.04), (0, 0.93)], light, body=False)


def _legs(pen: Pen, person: Person, look: Look) -> None:
    wide = 0.23 * person.build
    skirt = look.garment == "dress"
    for side in (-1, 1):
        pen.line(
            [(side * wide, 1.9), (side * wide, FOOT - 0.1)],
            0.22 if skirt else 0.34 * person.build,
            person.skin if skirt else look.trousers,
            curved=False,
        )
        pen.oval(side * (wide + 0.05), FOOT - 0.05, 0.2, 0.1, (50, 44, 50))
