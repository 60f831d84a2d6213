"""What policies were measured to reach in arenas."""
