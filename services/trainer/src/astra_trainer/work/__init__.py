"""The queue of runs and evaluations, and the engine processes that work on it."""
