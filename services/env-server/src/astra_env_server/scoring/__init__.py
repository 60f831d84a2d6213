"""Is an answer in an output, and what does an episode earn? Pure functions: no sandbox, no database."""
