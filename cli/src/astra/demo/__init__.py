"""The whole road once: tools, arenas, trajectories, SFT, RL, evaluation, and what came of it."""
