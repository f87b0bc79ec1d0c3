"""Where the objects of a scene stand: groups get regions of the unit square, objects get cells of the regions."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from demo.scenes.objects import KINDS, Kind
from demo.scenes.places import PLACES
from demo.scenes.scene import STUDIO, Group, Relation, Scene


@dataclass(frozen=True, slots=True)
class Placed:
    """One object: centre of its unit box and the box's side, in units of the square; `rests` where it casts a shadow."""

    kind: Kind
    colour: str
    u: float
    v: float
    size: float
    rests: bool


@dataclass(frozen=True, slots=True)
class _Region:
    """Columns and rows for one group; on a `surface` the rows are where things stand, else what they may fill."""

    u0: float
    u1: float
    v0: float
    v1: float
    surface: bool


# Shares of the square: objects stay off its edges, and groups off each other.
_MARGIN = 0.04
_GAP = 0.05
_SIDES: dict[Relation, tuple[tuple[float, float], tuple[float, float]]] = {
    "left": ((_MARGIN, 0.5 - _GAP / 2), (0.5 + _GAP / 2, 1 - _MARGIN)),
    "right": ((0.5 + _GAP / 2, 1 - _MARGIN), (_MARGIN, 0.5 - _GAP / 2)),
}


def arrange(scene: Scene, rng: Random) -> list[Placed]:
    """All objects of the scene, those farther away first."""
    placed: list[Placed] = []
    for at, group in enumerate(scene.groups):
        kind = KINDS[group.kind]
        columns, upper = (_MARGIN, 1 - _MARGIN), None
        if scene.relation in ("left", "right"):
            columns = _SIDES[scene.relation][at]
        elif scene.relation is not None:
            upper = (scene.relation == "above") == (at == 0)
        region = _region(scene.place, kind, columns, upper)
        alone = len(scene.groups) == 1
        placed += _fill(group, kind, region, rng, zoom=rng.uniform(1.0, 1.5) if alone else rng.uniform(0.85, 1.15))
    # The lower its foot, the nearer it is.
    return sorted(placed, key=lambda p: p.v + p.size / 2)


def _region(place: str, kind: Kind, columns: tuple[float, float], upper: bool | None) -> _Region:
    if place == STUDIO:
        v0, v1 = {None: (0.1, 0.92), True: (0.04, 0.47), False: (0.53, 0.96)}[upper]
        return _Region(*columns, v0, v1, surface=False)
    where = PLACES[place]
    v0, v1 = where.bands[kind.habitat]
    surface = kind.habitat == "ground" or (kind.habitat == "water" and not where.floats)
    if upper is not None and place == "sky":
        middle = (v0 + v1) / 2
        v0, v1 = (v0, middle - 0.02) if upper else (middle + 0.02, v1)
    elif upper is True and where.floats:
        v1 = 0.52
    elif upper is True:
        v1 = min(v1, 0.48)
    return _Region(*columns, v0, v1, surface=surface)


def _fill(group: Group, kind: Kind, region: _Region, rng: Random, *, zoom: float) -> list[Placed]:
    """Cells for `count` objects: the grid in which they come out largest, now and then the second best."""
    count = group.count
    # One column on a surface would hide all but the nearest.
    fewest = min(2, count) if region.surface else 1
    grids = [(columns, -(-count // columns)) for columns in range(fewest, count + 1)]
    sizes = {grid: _size(kind, region, grid) for grid in grids}
    grids.sort(key=lambda grid: -sizes[grid])
    grid = grids[0]
    if len(grids) > 1 and sizes[grids[1]] > 0.8 * sizes[grid] and rng.random() < 0.4:
        grid = grids[1]
    size = min(sizes[grid], kind.size * zoom)
    columns, rows = grid
    placed = []
    left = count
    for row in range(rows):
        here = min(columns, left)
        left -= here
        cell = (region.u1 - region.u0) / max(here, 1 if rows == 1 else columns)
        start = region.u0 + ((region.u1 - region.u0) - cell * here) / 2
        if region.surface and rows > 1 and here < columns and (columns - here) % 2 == 0:
            start += rng.choice((-0.5, 0.5)) * cell  # before a gap of the row behind
        for column in range(here):
            own = size * rng.uniform(0.9, 1.0)
            wide = own * kind.shape[0]
            slack = max(0.0, cell - wide) / 2 * 0.8
            u = start + cell * (column + 0.5) + rng.uniform(-slack, slack)
            placed.append(_place(kind, group.colour, u, own, region, row, rows, rng))
    return placed


def _size(kind: Kind, region: _Region, grid: tuple[int, int]) -> float:
    """The largest box with which the grid's objects do not hide each other."""
    columns, rows = grid
    wide, high = kind.shape
    across = (region.u1 - region.u0) / columns / wide * 0.96
    if region.surface:
        # Objects behind each other may overlap by a part of their height.
        step = (region.v1 - region.v0) / max(1, rows - 1)
        return min(across, step / 0.7 / high) if rows > 1 else across
    return min(across, (region.v1 - region.v0) / rows / high * 0.96)


def _place(kind: Kind, colour: str, u: float, size: float, region: _Region, row: int, rows: int, rng: Random) -> Placed:
    wide, high = size * kind.shape[0], size * kind.shape[1]
    u = min(max(u, region.u0 + wide / 2), region.u1 - wide / 2) if wide < region.u1 - region.u0 else (region.u0 + region.u1) / 2
    if region.surface:
        depth = (region.v1 - region.v0) / max(1, rows)
        foot = (
            region.v0 + depth * (row + rng.uniform(0.25, 0.85))
            if rows == 1
            else (region.v0 + (region.v1 - region.v0) * row / (rows - 1) + rng.uniform(-0.012, 0.012))
        )
        return Placed(kind, colour, u, foot - size / 2, size, rests=True)
    cell = (region.v1 - region.v0) / rows
    slack = max(0.0, cell - high) / 2 * 0.85
    middle = region.v0 + cell * (row + 0.5) + rng.uniform(-slack, slack)
    # Drawings stand on their box's lower edge (or fill it); centre what is drawn, not the box.
    lift = (size - high) / 2 if kind.habitat != "air" and high < size * 0.9 else 0.0
    return Placed(kind, colour, u, middle - lift, size, rests=False)
