"""The registry of objects that a scene may show; another module adds to it by giving its own tuple of kinds."""

from __future__ import annotations

from demo.scenes.objects.animals import ANIMALS
from demo.scenes.objects.kind import Habitat, Kind
from demo.scenes.objects.plants import PLANTS
from demo.scenes.objects.things import THINGS
from demo.scenes.objects.vehicles import VEHICLES

KINDS: dict[str, Kind] = {kind.name: kind for kind in (*ANIMALS, *PLANTS, *THINGS, *VEHICLES)}

__all__ = ["KINDS", "Habitat", "Kind"]
