"""The registry of places, and the names of the times of day."""

from __future__ import annotations

from demo.scenes.places import indoors, outdoors
from demo.scenes.places.place import Band, Place
from demo.scenes.places.sky import LIGHT

TIMES = tuple(LIGHT)
_AIR: Band = (0.05, 0.52)

PLACES: dict[str, Place] = {
    place.name: place
    for place in (
        Place(
            "beach",
            ("on the beach", "at the beach", "on a sandy beach"),
            outdoors.beach,
            {"ground": (0.76, 0.95), "air": (0.04, 0.5), "water": (0.58, 0.62)},
        ),
        Place("forest", ("in the forest", "in a forest", "in the woods"), outdoors.forest, {"ground": (0.76, 0.95), "air": _AIR}),
        Place("meadow", ("in a meadow", "in the meadow", "on green hills"), outdoors.meadow, {"ground": (0.72, 0.95), "air": _AIR}),
        Place("city", ("in the city", "in a city street", "in town"), outdoors.city, {"ground": (0.74, 0.95), "air": _AIR}),
        Place("snow", ("in the snow", "in a snowy landscape", "on snow"), outdoors.snow, {"ground": (0.74, 0.95), "air": _AIR}),
        Place("desert", ("in the desert", "among desert dunes", "in a desert"), outdoors.desert, {"ground": (0.74, 0.95), "air": _AIR}),
        Place(
            "mountains",
            ("in the mountains", "in front of mountains", "near snowy peaks"),
            outdoors.mountains,
            {"ground": (0.74, 0.95), "air": _AIR},
        ),
        Place("lake", ("on a lake", "at the lake", "on the lake"), outdoors.lake, {"water": (0.64, 0.94), "air": (0.04, 0.46)}),
        Place("sky", ("in the sky", "high in the sky", "up in the air"), outdoors.open_sky, {"air": (0.06, 0.9)}),
        Place("room", ("in a room", "indoors", "in the living room"), indoors.room, {"ground": (0.78, 0.95), "air": (0.06, 0.6)}, times=()),
        Place(
            "underwater",
            ("under water", "underwater", "in the deep sea"),
            indoors.underwater,
            {"water": (0.08, 0.84), "ground": (0.9, 0.96)},
            times=(),
            floats=True,
        ),
    )
}

__all__ = ["LIGHT", "PLACES", "TIMES", "Band", "Place"]
