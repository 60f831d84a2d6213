"""Envs: live instances of arenas, each with an episode that can be rebuilt from its log."""
