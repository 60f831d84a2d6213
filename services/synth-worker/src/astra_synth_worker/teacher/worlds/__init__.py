"""The worlds that the offline teacher knows, one module each. A new one is a module and a line here."""

from collections.abc import Mapping

from astra_synth_worker.teacher.world import World
from astra_synth_worker.teacher.worlds import clinic, library, logistics, retail

WORLDS: Mapping[str, World] = {module.WORLD.name: module.WORLD for module in (clinic, library, logistics, retail)}
"""World name, which is also the domain of its arenas, to the world."""
