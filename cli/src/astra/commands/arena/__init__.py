"""`astra arena`: the published environments, and the gate before them."""

from astra.commands.arena import catalogue, checking, comparing, datasets, difficulty, files, playing, stats
from astra.commands.arena.group import app

__all__ = ["app", "catalogue", "checking", "comparing", "datasets", "difficulty", "files", "playing", "stats"]
