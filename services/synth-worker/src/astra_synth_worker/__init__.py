"""Makes trajectories and arenas."""
