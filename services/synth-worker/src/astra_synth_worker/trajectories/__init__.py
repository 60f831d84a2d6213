"""Pipeline A: a task for a chain of tools, an agent's run on the real server, a score, a filter (paper §3.1)."""
